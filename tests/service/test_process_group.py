"""Several processes behind one port: all answer, a lost one is replaced, all drain together."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest

from core.config import from_mapping
from core.errors import ConfigError, StorageError
from encoders.loading import STARTER_MODEL, load_encoder
from index.gallery import Gallery, NewImage
from service.listening import bound_socket, reserved_socket
from service.serving_process import Task, read_task
from service.settings import Settings
from tests.fakes import picture_bytes

ROOT = Path(__file__).parent.parent.parent
PATIENCE_S = 180.0


class Group:
    """A running ``sightline serve --processes 2`` and what it has said."""

    def __init__(self, parent: subprocess.Popen[str]) -> None:
        """Wait until it serves."""
        self.parent = parent
        self.lines: list[str] = []
        serving = self.said("serving")
        self.address = str(serving["address"])
        self.own = [str(address) for address in serving["processes"]]  # type: ignore[attr-defined]

    def said(self, event: str) -> dict[str, object]:
        """Read on until a line of the log with an event; every line is one JSON object."""
        assert self.parent.stderr is not None
        for line in self.parent.stderr:
            self.lines.append(line)
            told: dict[str, object] = json.loads(line)
            if told["event"] == event:
                return told
        raise AssertionError(f"it ended without {event!r}: {self.lines}")

    def children(self) -> set[int]:
        """Return the processes that the parent has started and that run."""
        found: set[int] = set()
        with contextlib.suppress(FileNotFoundError):
            for task in Path(f"/proc/{self.parent.pid}/task").iterdir():
                found |= {int(pid) for pid in (task / "children").read_text().split()}
        return found


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a gallery of the starter model with one picture."""
    folder = tmp_path_factory.mktemp("group") / "gallery"
    encoder = load_encoder(STARTER_MODEL, threads=1)
    with closing(Gallery.open(folder, encoder)) as opened:
        opened.add([NewImage(picture_bytes("red"), id="red")])
    encoder.close()
    return folder


@contextmanager
def serving(gallery: Path) -> Iterator[Group]:
    """Run two processes over a gallery; what still runs at the end is killed."""
    environment = {
        **{name: text for name, text in os.environ.items() if not name.startswith("SIGHTLINE_")},
        "SIGHTLINE_LOG_FORMAT": "json",
        "SIGHTLINE_READ_ONLY": "true",
        "SIGHTLINE_PORT": "0",
        "SIGHTLINE_THREADS": "1",
        "SIGHTLINE_COMPILE_CACHE": "off",
        # A busy machine may take long to close what is open.
        "SIGHTLINE_DRAIN_TIMEOUT_S": "120",
    }
    with subprocess.Popen(
        [sys.executable, "-m", "cli.main", "serve", "--processes", "2", "--gallery", str(gallery)],
        cwd=ROOT,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    ) as parent:
        try:
            yield Group(parent)
        finally:
            parent.kill()


def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition."""
    give_up = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < give_up, "it did not happen"
        time.sleep(0.02)


def searches_of(address: str) -> float:
    """Return how many searches the process with an address of its own has answered."""
    page = httpx.get(f"{address}/metrics", timeout=60, trust_env=False).text
    found = re.search(r'requests_total\{method="GET",route="/v1/search",status="200"\} (\S+)', page)
    return float(found.group(1)) if found else 0.0


def search(address: str) -> int:
    """Search over a new connection and return the status."""
    answer = httpx.get(f"{address}/v1/search?q=red", timeout=60, trust_env=False)
    return answer.status_code


@pytest.mark.slow
def test_all_answer_a_lost_one_is_replaced_and_all_drain(gallery: Path) -> None:
    """One life of a group, because each start loads two models."""
    with serving(gallery) as group:
        # The system spreads connections by their port: each gets some of many.
        until(
            lambda: search(group.address) == 200 and all(searches_of(own) > 0 for own in group.own)
        )
        before = group.children()
        assert len(before) == 2
        killed = min(before)
        os.kill(killed, signal.SIGKILL)
        lost = group.said("serving process lost")
        assert (lost["pid"], lost["status"]) == (killed, -signal.SIGKILL)
        assert search(group.address) == 200
        # The new one has opened its model and its gallery.
        group.said("engine open")
        after = group.children()
        assert len(after) == 2
        assert killed not in after
        group.parent.send_signal(signal.SIGTERM)
        assert group.parent.stderr is not None
        rest = [json.loads(line) for line in group.parent.stderr]
        assert group.parent.wait(PATIENCE_S) == 0

    assert "stopped" in {told["event"] for told in rest}
    for pid in before | after:
        until(lambda pid=pid: not Path(f"/proc/{pid}").exists())  # type: ignore[misc]


@pytest.mark.slow
def test_a_process_does_not_outlive_its_parent(gallery: Path) -> None:
    """A parent that was killed can tell nobody; its end of the pipe closes, and that drains."""
    settings = Settings(gallery=gallery, port=0, read_only=True, threads=1)
    with subprocess.Popen(
        [sys.executable, "-m", "service.serving_process"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(Task(settings, own_port=0, session_secret=b"1").line())
            process.stdin.flush()
            assert search(json.loads(process.stdout.readline())["ready"]) == 200
            process.stdin.close()
            assert process.wait(PATIENCE_S) == 0
        finally:
            process.kill()


@pytest.mark.slow
def test_what_keeps_a_process_from_starting_is_said_once(tmp_path: Path) -> None:
    """As a line of the log, with an exit code that tells it from a success."""
    environment = {
        **os.environ,
        "SIGHTLINE_LOG_FORMAT": "json",
        "SIGHTLINE_READ_ONLY": "true",
        "SIGHTLINE_HOST": "0.0.0.0",
    }
    done = subprocess.run(
        [
            *(sys.executable, "-m", "cli.main", "serve", "--processes", "2", "--port", "0"),
            *("--gallery", str(tmp_path / "gallery")),
        ],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    told = [json.loads(line) for line in done.stderr.splitlines()]

    assert done.returncode == 2
    assert [line["event"] for line in told].count("cannot serve") == 1
    assert "no API keys" in told[-1]["reason"]


def test_several_processes_write_nothing() -> None:
    """A gallery has one writer."""
    with pytest.raises(ConfigError, match="read_only"):
        from_mapping(Settings, {"processes": 2}, where="test")


def test_the_ports_of_all_processes_have_to_exist() -> None:
    """The last one's own port is the shared one plus their number."""
    values = {"processes": 2, "read_only": True, "port": 65534}
    with pytest.raises(ConfigError, match="at most 65533"):
        from_mapping(Settings, values, where="test")


def test_a_task_survives_its_way_to_the_process() -> None:
    """Every setting, also those that are not set, and the secret of the cookies."""
    settings = Settings(
        gallery=Path("a b"), processes=1, read_only=True, cors_origins=("https://a.example",)
    )
    task = Task(settings, own_port=8001, session_secret=b"\x00\xff")

    assert read_task(task.line()) == task


def test_a_port_of_another_program_is_not_shared() -> None:
    """Also where that program would share it."""
    with bound_socket("127.0.0.1", 0, shared=True) as theirs:
        theirs.listen()
        with pytest.raises(StorageError, match="in use"):
            reserved_socket("127.0.0.1", theirs.getsockname()[1])


def test_a_reserved_port_takes_no_connection_itself() -> None:
    """Whoever binds it as well and listens gets them all."""
    with reserved_socket("127.0.0.1", 0) as reserved:
        address = reserved.getsockname()
        with bound_socket(*address, shared=True) as listener:
            listener.listen()
            for _ in range(20):
                with socket.create_connection(address, timeout=60):
                    listener.accept()[0].close()
