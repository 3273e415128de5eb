"""Starting the servers that are compared, each in its own process, until they answer."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
_PATIENCE_S = 180


@dataclass(frozen=True, slots=True)
class Server:
    """A running server."""

    name: str
    port: int
    pid: int
    path: str
    """Of the route that embeds."""
    model: str
    """What requests call the model."""


@contextmanager
def ours(name: str, model: str, *options: str) -> Iterator[Server]:
    """Run Sightline."""
    port = free_port()
    words = [sys.executable, "-m", "benchmarks.service_apps", "ours", "--model", model]
    with _running([*words, "--port", str(port), *options]) as process:
        _wait(f"http://127.0.0.1:{port}/readyz", process)
        listed = json.loads(_get(f"http://127.0.0.1:{port}/v1/models"))["data"][0]["id"]
        yield Server(name, port, process.pid, "/v1/embeddings", listed)


@contextmanager
def plain(name: str, model: str, *options: str) -> Iterator[Server]:
    """Run the plain FastAPI endpoint."""
    port = free_port()
    words = [sys.executable, "-m", "benchmarks.service_apps", "plain", "--model", model]
    with _running([*words, "--port", str(port), *options]) as process:
        _wait(f"http://127.0.0.1:{port}/readyz", process)
        yield Server(name, port, process.pid, "/v1/embeddings", "plain")


@contextmanager
def infinity(name: str, executable: Path, model: str, *, engine: str = "torch") -> Iterator[Server]:
    """Run infinity out of its own environment."""
    port = free_port()
    words = [str(executable), "v2", "--model-id", model, "--served-model-name", "clip"]
    words += ["--engine", engine, "--device", "cpu", "--dtype", "float32", "--batch-size", "32"]
    words += ["--no-bettertransformer", "--host", "127.0.0.1", "--port", str(port)]
    with _running(words) as process:
        _wait(f"http://127.0.0.1:{port}/health", process)
        yield Server(name, port, process.pid, "/embeddings", "clip")


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _running(words: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    environment = {**os.environ, "DO_NOT_TRACK": "1", "HF_HUB_OFFLINE": "1"}
    process = subprocess.Popen(
        words, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(_PATIENCE_S * 10):
        if process.poll() is not None:
            break
        try:
            _get(url)
        except (OSError, urllib.error.URLError):
            time.sleep(0.1)
        else:
            return
    message = f"{url} did not answer within {_PATIENCE_S} s"
    raise RuntimeError(message)


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - this machine
        found: bytes = answer.read()
        return found
