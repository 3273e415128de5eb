"""A closed-loop HTTP load client that costs little: prepared bytes over open connections.

Every client keeps one connection and sends its next request when the answer is there. All servers
get the same client, on the same cores.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_OK = 200


@dataclass(frozen=True, slots=True)
class Load:
    """What one window of load showed."""

    latencies_ms: tuple[float, ...]
    """Of the answers with status 200."""
    failed: int
    """Other answers, timeouts and lost connections."""
    took_s: float
    server_cpu_s: float
    """User and system time of the server's processes."""

    @property
    def rate(self) -> float:
        """Good answers a second."""
        return len(self.latencies_ms) / self.took_s

    @property
    def p50_ms(self) -> float:
        """Median latency of the good answers."""
        return statistics.median(self.latencies_ms) if self.latencies_ms else float("nan")

    @property
    def cpu_us(self) -> float:
        """Microseconds of the server's processor time per good answer."""
        return 1e6 * self.server_cpu_s / max(1, len(self.latencies_ms))


def request_bytes(path: str, body: bytes, *, content_type: str = "application/json") -> bytes:
    """Return a POST request on a connection that stays open."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {content_type}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def get_bytes(path: str) -> bytes:
    """Return a GET request on a connection that stays open."""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


def run_load(
    port: int, requests: Sequence[bytes], *, clients: int, pid: int, timeout_s: float = 60.0
) -> Load:
    """Send every request once, ``clients`` at a time.

    Args:
        port: of the server on this machine.
        requests: whole HTTP requests.
        clients: open connections.
        pid: the server's process, whose children count too.
        timeout_s: after which a request counts as failed.
    """
    return asyncio.run(_run(port, requests, clients, pid, timeout_s))


def cpu_seconds(pid: int) -> float:
    """Return user and system seconds of a process and its living children."""
    return sum(_own_cpu_seconds(number) for number in _family(pid))


def resident_bytes(pid: int) -> int:
    """Return the resident memory of a process and its living children."""
    page = os.sysconf("SC_PAGE_SIZE")
    found = 0
    for number in _family(pid):
        found += page * int(Path(f"/proc/{number}/statm").read_text().split()[1])
    return found


async def _run(
    port: int, requests: Sequence[bytes], clients: int, pid: int, timeout_s: float
) -> Load:
    waiting = iter(requests)
    latencies: list[float] = []
    failed = 0
    cpu_before, started = cpu_seconds(pid), time.perf_counter()

    async def client() -> None:
        nonlocal failed
        connection = await asyncio.open_connection("127.0.0.1", port)
        for request in waiting:
            begun = time.perf_counter()
            try:
                async with asyncio.timeout(timeout_s):
                    status = await _exchange(*connection, request)
            except (TimeoutError, OSError, asyncio.IncompleteReadError):
                status = 0
                connection[1].close()
                connection = await asyncio.open_connection("127.0.0.1", port)
            if status == _OK:
                latencies.append(1000 * (time.perf_counter() - begun))
            else:
                failed += 1
        connection[1].close()

    await asyncio.gather(*(client() for _ in range(clients)))
    took_s = time.perf_counter() - started
    return Load(tuple(latencies), failed, took_s, cpu_seconds(pid) - cpu_before)


async def _exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes
) -> int:
    writer.write(request)
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    begin = head.find(b"content-length:")
    if begin < 0:
        message = f"an answer without a length: {head[:200]!r}"
        raise RuntimeError(message)
    length = int(head[begin + 15 : head.index(b"\r\n", begin)])
    await reader.readexactly(length)
    return int(head[9:12])


def _family(pid: int) -> Iterator[int]:
    yield pid
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield from _family(int(child))


def _own_cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS
