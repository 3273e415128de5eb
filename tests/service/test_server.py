"""The process: early checks, start, drain. Each test starts a server of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from core.errors import ConfigError, EncoderMismatchError, StorageError
from service.listening import url_of
from service.server import run_server
from tests.fakes import FakeEncoder, picture_bytes
from tests.service.running import running, settings_for

ROOT = Path(__file__).parent.parent.parent
_SERVER = """
import sys, threading
from pathlib import Path
from service.server import run_server
from tests.fakes import FakeEncoder
from tests.service.running import settings_for

class SlowEncoder(FakeEncoder):
    def encode_texts(self, texts):
        if "slow" in texts:
            print("busy", flush=True)
            threading.Event().wait(0.5)
        return super().encode_texts(texts)

run_server(
    settings_for(Path(sys.argv[1]), port=0, drain_timeout_s=20),
    on_ready=lambda address: print(address, flush=True),
    encoder=SlowEncoder(),
)
print("closed", flush=True)
"""


@contextmanager
def server_process(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run a server in a process of its own and yield it with its address."""
    with subprocess.Popen(
        [sys.executable, "-c", _SERVER, str(folder)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_drain_answers_what_was_accepted(tmp_path: Path, number: signal.Signals) -> None:
    """A request in flight at the signal gets its answer, and the process ends with success."""
    with server_process(tmp_path) as (process, address), ThreadPoolExecutor(1) as pool:
        assert process.stdout is not None
        pending = pool.submit(httpx.get, f"{address}/v1/search?q=slow", timeout=60, trust_env=False)
        assert process.stdout.readline().strip() == "busy"
        process.send_signal(number)

        assert pending.result(60).status_code == 200
        assert process.stdout.readline().strip() == "closed"
        assert process.wait(60) == 0
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{address}/healthz", timeout=60, trust_env=False)


@pytest.mark.slow
def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    """After SIGKILL right behind the answer the item is there."""
    with server_process(tmp_path) as (process, address):
        answer = httpx.post(
            f"{address}/v1/items",
            files={"image": picture_bytes("red")},
            timeout=60,
            trust_env=False,
        )
        process.kill()
        process.wait(60)

    assert answer.status_code == 200
    with running(tmp_path) as client:
        assert client.get("/v1/gallery").json()["count"] == 1


def test_a_taken_port_is_said_before_anything_is_loaded(tmp_path: Path) -> None:
    """The message names the port and the option; no gallery was made."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(StorageError, match=f"port {port} on 127.0.0.1 is in use.*--port"):
            run_server(settings_for(tmp_path, port=port), encoder=FakeEncoder())

    assert not (tmp_path / "gallery").exists()


@pytest.mark.parametrize("host", ["no.such.host.invalid", "203.0.113.1"])
def test_an_address_of_another_machine_is_refused(tmp_path: Path, host: str) -> None:
    """Listening works on this machine's own addresses only."""
    with pytest.raises((ConfigError, StorageError), match=r"host|listen"):
        run_server(
            settings_for(tmp_path, host=host, port=0, allow_open=True), encoder=FakeEncoder()
        )


def test_a_gallery_of_another_model_is_refused_at_the_start(tmp_path: Path) -> None:
    """The message names both encoders; the gallery is unharmed."""
    with running(tmp_path) as client:
        client.post("/v1/items", files={"image": picture_bytes("red")})

    with pytest.raises(EncoderMismatchError) as caught:
        run_server(settings_for(tmp_path, port=0), encoder=FakeEncoder("0123456789abcdef"))
    assert "0123456789abcdef" in str(caught.value)
    assert FakeEncoder().encoder_id in str(caught.value)
    with running(tmp_path) as client:
        assert client.get("/v1/gallery").json()["count"] == 1


def test_no_thread_is_left_behind(tmp_path: Path) -> None:
    """Start and stop leave the process as it was."""
    before = {thread.name for thread in threading.enumerate()}
    with running(tmp_path) as client:
        client.get("/v1/search?q=red")

    left = {thread.name for thread in threading.enumerate()} - before
    # asyncio's own helper threads may outlive the loop for a moment.
    assert not {name for name in left if name.startswith(("inference", "request", "decode"))}


@pytest.mark.parametrize(
    ("host", "port", "expected"),
    [
        ("127.0.0.1", 8000, "http://127.0.0.1:8000"),
        ("0.0.0.0", 80, "http://127.0.0.1:80"),
        ("::1", 9, "http://[::1]:9"),
        ("::", 9, "http://[::1]:9"),
    ],
)
def test_the_address_can_be_typed_into_a_browser(host: str, port: int, expected: str) -> None:
    """Any interface is shown as this machine; IPv6 gets its brackets."""
    assert url_of(host, port) == expected


@pytest.mark.slow
def test_importing_the_app_loads_no_model_code() -> None:
    """No torch, no open_clip, no openvino until a model is opened, and no torch file of ours."""
    script = (
        "import sys, service.app, service.server\n"
        "heavy = {'torch', 'open_clip', 'torchvision', 'transformers', 'timm', 'openvino'}\n"
        "ours = [name for name in sys.modules if name.startswith('encoders.torch')\n"
        "        or name.startswith('encoders.open_clip')]\n"
        "print(sorted(heavy & set(sys.modules)) + ours)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )

    assert done.stdout.strip() == "[]"
