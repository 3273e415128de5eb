"""Start-up and latency of the demo: the starter model over the example gallery, on this machine.

    python benchmarks/demo_service.py [--rounds 200] [--starts 5]

Prints medians; the gallery is indexed first. Searches use distinct texts, so that none comes from
the cache of text embeddings, and are then repeated, so that all of them do.
"""

from __future__ import annotations

import argparse
import http.client
import json
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAIRS = ROOT / "examples" / "gallery" / "pairs.jsonl"
COMMAND = [sys.executable, "-m", "cli.main"]
ADJECTIVES = ("old", "small", "red", "two", "wooden", "wild", "bright", "quiet", "open", "round")


def main() -> None:
    """Measure and print one figure a line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--starts", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        gallery = Path(folder) / "gallery"
        seconds, images = index_gallery(gallery)
        print(f"machine: {platform.machine()}, {platform.platform()}, Python {sys.version[:7]}")
        print(
            f"index {images} images: {seconds:.1f} s, {images / seconds:.0f} images/s, one process"
        )
        starts = [measure_start(gallery) for _ in range(arguments.starts)]
        print(f"process start to ready: median {statistics.median(starts):.2f} s")
        with server(gallery) as port:
            measure_requests(port, arguments.rounds)


def index_gallery(gallery: Path) -> tuple[float, int]:
    """Index the example gallery in a fresh process; return seconds and number of images."""
    started = time.perf_counter()
    subprocess.run(
        [*COMMAND, "add", str(PAIRS), "--gallery", str(gallery)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    return time.perf_counter() - started, len(PAIRS.read_text(encoding="utf-8").splitlines())


def measure_start(gallery: Path) -> float:
    """Return the seconds from starting the process to the first ready answer."""
    started = time.perf_counter()
    with server(gallery):
        return time.perf_counter() - started


def measure_requests(port: int, rounds: int) -> None:
    """Print the latency of searches and of classification, seen by an HTTP client."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    texts = distinct_texts(rounds)
    for title in ("text search, model runs", "text search, embedding cached"):
        print_latency(title, [timed(connection, "GET", search_path(text)) for text in texts])
    picture = (ROOT / "examples" / "queries" / "cat.jpg").read_bytes()
    body, kind = multipart(picture, labels=["cat", "dog", "bird", "car"])
    print_latency(
        f"classify a {len(picture) // 1024} kB photo",
        [timed(connection, "POST", "/v1/classify", body, kind) for _ in range(rounds // 4)],
    )
    connection.close()


def distinct_texts(count: int) -> list[str]:
    """Return ``count`` different short queries of two to four words."""
    labels = sorted({json.loads(line)["label"] for line in PAIRS.read_text("utf-8").splitlines()})
    texts = [f"{word} {label}" for word in ADJECTIVES for label in labels]
    return (texts * (count // len(texts) + 1))[:count]


def search_path(text: str) -> str:
    """Return the path of a search for ``text``."""
    return f"/v1/search?k=10&q={urllib.parse.quote_plus(text)}"


def timed(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: bytes | None = None,
    content_type: str = "application/json",
) -> float:
    """Send one request on an open connection and return its milliseconds."""
    headers = {"Content-Type": content_type} if body else {}
    started = time.perf_counter()
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    payload = response.read()
    took_ms = 1000 * (time.perf_counter() - started)
    if response.status != http.client.OK:
        raise RuntimeError(f"{method} {path}: {response.status} {payload[:300]!r}")
    return took_ms


def multipart(picture: bytes, *, labels: list[str]) -> tuple[bytes, str]:
    """Return body and content type of a classify request."""
    boundary = "sightline-benchmark"
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="labels"\r\n\r\n{label}\r\n'
        for label in labels
    ]
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="a.jpg"\r\n'
        "Content-Type: image/jpeg\r\n\r\n"
    )
    body = "".join(parts).encode() + head.encode() + picture + f"\r\n--{boundary}--\r\n".encode()
    return body, f"multipart/form-data; boundary={boundary}"


def print_latency(title: str, times_ms: list[float]) -> None:
    """Print median and 99th percentile."""
    ordered = sorted(times_ms)
    p99 = ordered[int(0.99 * (len(ordered) - 1))]
    print(f"{title}: p50 {statistics.median(ordered):.2f} ms, p99 {p99:.2f} ms, n {len(ordered)}")


@contextmanager
def server(gallery: Path) -> Iterator[int]:
    """Run ``sightline serve`` on a free port until the block ends; yield the port when ready."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    process = subprocess.Popen(
        [*COMMAND, "serve", "--gallery", str(gallery), "--port", str(port)],
        cwd=ROOT,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until_ready(port, process)
        yield port
    finally:
        process.terminate()
        process.wait(timeout=30)


def wait_until_ready(port: int, process: subprocess.Popen[bytes]) -> None:
    """Ask /readyz every 10 ms until it says yes."""
    for _ in range(6000):
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with code {process.returncode}")
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/readyz")
            if connection.getresponse().status == http.client.OK:
                return
        except OSError:
            pass
        time.sleep(0.01)
    raise RuntimeError("the server was not ready after a minute")


if __name__ == "__main__":
    main()
