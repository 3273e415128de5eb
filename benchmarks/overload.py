"""A real server under more searches by image than it can do, at rates that do not wait for answers.

    python -m benchmarks.overload [--seconds 8] [--max-cost 16] [--decode thread]

Starts ``sightline serve`` with the starter model over the example gallery, measures how many
searches a second it does for a few patient clients (the capacity), then offers 0.5, 1, 2 and 4
times that at fixed intervals, and 1 time again. Arrivals never wait for answers, so no delay hides
another (coordinated omission). Server and client share the machine: read ratios.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.demo_service import COMMAND, ROOT, index_gallery

FACTORS = (0.5, 1.0, 2.0, 4.0, 1.0)
PATIENT_CLIENTS = 8
START_S = 120.0
MIB = 2**20


@dataclass(frozen=True)
class Outcome:
    """How one request ended."""

    status: int
    took_s: float
    arrived_s: float


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8.0, help="of each rate")
    parser.add_argument("--max-cost", type=float, default=16.0)
    parser.add_argument("--decode", choices=("thread", "process"), default="thread")
    arguments = parser.parse_args()
    photo = (ROOT / "examples" / "queries" / "cat.jpg").read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        gallery = Path(folder) / "gallery"
        index_gallery(gallery)
        settings = {"MAX_COST": str(arguments.max_cost), "DECODE": arguments.decode}
        with server(gallery, settings) as (port, pid):
            asyncio.run(measure(port, pid, photo, arguments.seconds))


async def measure(port: int, pid: int, photo: bytes, seconds: float) -> None:
    """Print the capacity and one line for each rate."""
    requests = Requests(photo)
    await closed_loop(port, requests, 2.0)
    capacity = await closed_loop(port, requests, seconds)
    print(f"{platform.platform()}, {os.cpu_count()} cores, photo of {len(photo) // 1024} KiB")
    print(f"capacity with {PATIENT_CLIENTS} patient clients: {capacity:.1f} searches/s")
    print(
        "| rate | offered/s | answered/s | p50 ms | p99 ms | refused | p99 of 429 | other | RSS |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for factor in FACTORS:
        started = time.perf_counter()
        outcomes = await open_loop(port, requests, capacity * factor, seconds)
        took_s = time.perf_counter() - started
        print(f"| {factor:g}x | {capacity * factor:.1f} | {row(outcomes, took_s)} | {rss(pid)} |")
    recovered = await recovery(port, requests)
    print(f"first answer after the last burst: {recovered * 1000:.0f} ms after it ended")


async def closed_loop(port: int, requests: Requests, seconds: float) -> float:
    """Return the answers a second that a few clients get who each wait for theirs."""
    until = time.perf_counter() + seconds

    async def client() -> int:
        done = 0
        while time.perf_counter() < until:
            done += (await ask(port, next(requests), 0.0)).status == 200
        return done

    return sum(await asyncio.gather(*(client() for _ in range(PATIENT_CLIENTS)))) / seconds


async def open_loop(port: int, requests: Requests, rate: float, seconds: float) -> list[Outcome]:
    """Send requests at fixed intervals, whatever became of the earlier ones."""
    started = time.perf_counter()
    asked = []
    for number in range(round(rate * seconds)):
        await asyncio.sleep(max(0.0, started + number / rate - time.perf_counter()))
        asked.append(asyncio.create_task(ask(port, next(requests), number / rate)))
    return list(await asyncio.gather(*asked))


async def recovery(port: int, requests: Requests) -> float:
    """Return the seconds until a burst of four batches is over and a request is answered again."""
    await asyncio.gather(*(ask(port, next(requests), 0.0) for _ in range(64)))
    started = time.perf_counter()
    while (await ask(port, next(requests), 0.0)).status != 200:
        pass
    return time.perf_counter() - started


async def ask(port: int, request: bytes, arrived_s: float) -> Outcome:
    """Send one request on a connection of its own; status 0: no answer."""
    started = time.perf_counter()
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request)
        answer = await reader.read()
        writer.close()
        status = int(answer.split(b" ", 2)[1])
    except (OSError, IndexError, ValueError):
        status = 0
    return Outcome(status, time.perf_counter() - started, arrived_s)


class Requests(Iterator[bytes]):
    """Searches by image, no two with the same bytes, so that no cache answers them."""

    def __init__(self, photo: bytes) -> None:
        """Vary the comment of a JPEG."""
        self._photo = photo
        self._number = 0

    def __next__(self) -> bytes:
        """Return the next request."""
        self._number += 1
        comment = f"{self._number:012d}".encode()
        photo = self._photo[:2] + b"\xff\xfe\x00\x0e" + comment + self._photo[2:]
        body = (
            b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.jpg"\r\n\r\n'
            + photo
            + b"\r\n--x--\r\n"
        )
        head = (
            "POST /v1/search HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
            f"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


def row(outcomes: list[Outcome], took_s: float) -> str:
    """Return the figures of one rate."""
    good = [outcome.took_s for outcome in outcomes if outcome.status == 200]
    refused = [outcome.took_s for outcome in outcomes if outcome.status == 429]
    other = len(outcomes) - len(good) - len(refused)
    median = 1000 * statistics.median(good) if good else 0.0
    return (
        f"{len(good) / took_s:.1f} | {median:.0f} | {percentile(good):.0f} | {len(refused)} | "
        f"{percentile(refused):.0f} | {other}"
    )


def percentile(times_s: list[float], part: float = 0.99) -> float:
    """Return a percentile in milliseconds, 0 of nothing."""
    return 1000 * sorted(times_s)[int(part * (len(times_s) - 1))] if times_s else 0.0


def rss(pid: int) -> str:
    """Return the memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return f"{pages * os.sysconf('SC_PAGE_SIZE') // MIB} MiB"


@contextmanager
def server(gallery: Path, settings: dict[str, str]) -> Iterator[tuple[int, int]]:
    """Run ``sightline serve`` on a free port; yield port and process id when it is ready."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    quiet = {"ACCESS_LOG": "false", "IMAGE_CACHE_ENTRIES": "0", **settings}
    environment = {**os.environ, **{f"SIGHTLINE_{name}": text for name, text in quiet.items()}}
    command = [*COMMAND, "serve", "--gallery", str(gallery), "--port", str(port)]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            wait_until_ready(port)
            yield port, process.pid
        finally:
            process.terminate()


def wait_until_ready(port: int) -> None:
    """Ask for readiness until it is there."""
    give_up = time.monotonic() + START_S
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5).close()
        except OSError:
            if time.monotonic() > give_up:
                sys.exit(f"the server was not ready within {START_S:g} s")
            time.sleep(0.1)
        else:
            return


if __name__ == "__main__":
    main()
