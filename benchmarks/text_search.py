"""Text search over HTTP and the start of the server, with 100 000 items: beside the model alone.

    python -m benchmarks.text_search [--quick] [--items 100000] [--model MODEL] [--beside TREE]

Texts that nobody sent before go over one open connection; before each of them the encoder alone, in
this process, reads it: both find the caches of the processor as the search before left them. Then
come the same texts again, and filters. With ``--beside`` a second checkout is measured in turn,
over a gallery with an index of its own.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.bench_part import append_row
from benchmarks.bench_rows import Row, table
from benchmarks.demo_service import wait_until_ready
from benchmarks.environments import FOLDER
from benchmarks.service_load import cpu_seconds
from benchmarks.service_peers import free_port
from encoders.encoder import Encoder
from encoders.loading import STARTER_MODEL, load_encoder

ROOT = Path(__file__).parent.parent
PART = "text search"
_TEXTS_OF_A_ROUND = 60
_COUNTER = itertools.count(os.getpid() * 1000)
_FILTERS = {
    "new texts, p50, filter of 1 %": {"percent": 7},
    "new texts, p50, filter of half": {"even": True},
}
_FIRST = "new texts, p50"
_ALONE = ("", "")


@dataclass(frozen=True, slots=True)
class Side:
    """One checkout, its gallery and, while it runs, its server."""

    name: str
    tree: Path
    gallery: Path
    cache: Path
    """For compiled models."""


def main() -> None:
    """Measure and print one table for each checkout."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--quick", action="store_true", help="Two rounds, two starts.")
    parser.add_argument("--rows", type=Path, help="File that each row is appended to as JSON.")
    parser.add_argument("--model", default=str(STARTER_MODEL))
    parser.add_argument("--folder", type=Path, help="Keeps the galleries.")
    parser.add_argument("--beside", type=Path, help="Another checkout.")
    arguments = parser.parse_args()
    folder = arguments.folder or FOLDER / "text-search"
    trees = [ROOT, *([arguments.beside.resolve()] if arguments.beside else [])]
    sides = [
        Side(
            tree.name,
            tree,
            folder / f"{tree.name}-{arguments.items}",
            folder / f"compiled-{tree.name}",
        )
        for tree in trees
    ]
    for side in sides:
        prepare(side, model=arguments.model, items=arguments.items)
    found = measure(sides, model=arguments.model, rounds=2 if arguments.quick else 7)
    starts = measure_starts(sides, starts=2 if arguments.quick else 5)
    for side in sides:
        rows = [*found[side.name], *starts[side.name]]
        print(f"\n{side.name}, {arguments.items} items\n")
        print(table(rows), flush=True)
        if arguments.rows and side.tree == ROOT:
            for row in rows:
                append_row(arguments.rows, row)


def prepare(side: Side, *, model: str, items: int) -> None:
    """Make the gallery where it is missing, and its index by the checkout that is measured."""
    if not side.gallery.exists():
        side.gallery.parent.mkdir(parents=True, exist_ok=True)
        words = ["benchmarks.text_search_gallery", str(side.gallery), "--items", str(items)]
        _run(ROOT, [*words, "--model", model])
    _run(side.tree, ["cli.main", "index", "build", str(side.gallery), "--kind", "auto"])


def measure(sides: Sequence[Side], *, model: str, rounds: int) -> dict[str, list[Row]]:
    """Return the rows of each side: searches in milliseconds, in turn, beside the model alone."""
    times: dict[tuple[str, str], list[float]] = {}
    alone: list[float] = []
    encoder = load_encoder(model)
    with ExitStack() as stack:
        running = [(side, *stack.enter_context(served(side))) for side in sides]
        for number in range(rounds + 1):
            found = _new_searches(encoder, [(side.name, asking) for side, asking, _ in running])
            for side, asking, pid in running:
                for what, took in _other_searches(asking, pid).items():
                    found[side.name, what] = took
            if number:
                alone.append(found.pop(_ALONE))
                for key, took in found.items():
                    times.setdefault(key, []).append(took)
    encoder.close()
    return {side.name: _rows(side.name, times, alone) for side in sides}


def measure_starts(sides: Sequence[Side], *, starts: int) -> dict[str, list[Row]]:
    """Return the seconds from the start of the process to ready, in turn."""
    times: dict[tuple[str, str], list[float]] = {}
    for _ in range(starts):
        for side in sides:
            for what, cache in (("cold", None), ("warm", side.cache)):
                with tempfile.TemporaryDirectory() as empty:
                    begun = time.perf_counter()
                    with served(side, cache=cache or Path(empty)):
                        times.setdefault((side.name, what), []).append(time.perf_counter() - begun)
    return {
        side.name: [
            Row(
                PART,
                f"process start to ready, {what} cache of compiled models",
                unit="s",
                better="less",
                ours=tuple(times[side.name, what]),
                beside="at most",
                theirs=(2.0,),
                most_apart=0.0,
            )
            for what in ("cold", "warm")
        ]
        for side in sides
    }


def _rows(name: str, times: dict[tuple[str, str], list[float]], alone: list[float]) -> list[Row]:
    rows = []
    for (side, what), took in times.items():
        if side != name:
            continue
        is_cpu = what.startswith("processor")
        rows.append(
            Row(
                PART,
                what if is_cpu else f"search over HTTP, {what}",
                unit="ms",
                better="less",
                ours=tuple(took),
                beside="" if is_cpu else "the model alone",
                theirs=() if is_cpu else tuple(alone),
                most_apart=1.0 if what == _FIRST else None,
                is_limit=True,
            )
        )
    return rows


class Asking:
    """One open connection: sends prepared bytes, reads one answer."""

    def __init__(self, port: int) -> None:
        """Connect."""
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def search_ms(self, text: str, filter: object = None) -> float:
        """Search and return the milliseconds until the whole answer was there.

        Raises:
            RuntimeError: the answer is not 200, or not of 10 hits.
        """
        body = json.dumps({"text": text, "k": 10, "filter": filter}).encode()
        head = (
            "POST /v1/search HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        begun = time.perf_counter()
        self._socket.sendall(head.encode() + body)
        status, answer = self._answer()
        took_ms = 1000 * (time.perf_counter() - begun)
        if status != b"200" or answer.count(b'"image_url"') != 10:
            raise RuntimeError(f"status {status!r}: {answer[:300]!r}")
        return took_ms

    def _answer(self) -> tuple[bytes, bytes]:
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._socket.recv(65_536)
        head, _, answer = data.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        while len(answer) < length:
            answer += self._socket.recv(65_536)
        return head[9:12], answer

    def close(self) -> None:
        """Disconnect."""
        self._socket.close()


@contextmanager
def served(side: Side, *, cache: Path | None = None) -> Iterator[tuple[Asking, int]]:
    """Run the server of a side until the block ends; yield a connection and its process."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "cli.main", "serve", "--gallery", side.gallery, "--port", str(port)],
        cwd=side.tree,
        env={**os.environ, "SIGHTLINE_COMPILE_CACHE": str(cache or side.cache)},
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until_ready(port, process)
        asking = Asking(port)
        try:
            yield asking, process.pid
        finally:
            asking.close()
    finally:
        process.terminate()
        process.wait(timeout=60)


def _new_searches(
    encoder: Encoder, asked: Sequence[tuple[str, Asking]]
) -> dict[tuple[str, str], float]:
    """Return p50 and p99 of searches for new texts by side, and the median of the model alone."""
    times: dict[str, list[float]] = {name: [] for name, _ in asked}
    alone = []
    for _ in range(_TEXTS_OF_A_ROUND):
        for name, asking in asked:
            text = _new_text()
            begun = time.perf_counter()
            encoder.encode_texts([text])
            alone.append(1000 * (time.perf_counter() - begun))
            times[name].append(asking.search_ms(text))
    found = {_ALONE: statistics.median(alone)}
    for name, took in times.items():
        found[name, _FIRST] = statistics.median(took)
        found[name, "new texts, p99"] = sorted(took)[int(0.99 * (len(took) - 1))]
    return found


def _other_searches(asking: Asking, pid: int) -> dict[str, float]:
    """Return the median milliseconds with filters and of remembered texts, and processor time."""
    texts = [_new_text() for _ in range(_TEXTS_OF_A_ROUND)]
    found = {
        what: statistics.median([asking.search_ms(_new_text(), condition) for _ in texts])
        for what, condition in _FILTERS.items()
    }
    for text in texts:
        asking.search_ms(text)
    cpu_before = cpu_seconds(pid)
    again = [asking.search_ms(text) for text in texts for _ in range(4)]
    found["remembered texts, p50"] = statistics.median(again)
    found["processor time of a search with a remembered text"] = (
        1000 * (cpu_seconds(pid) - cpu_before) / len(again)
    )
    return found


def _new_text() -> str:
    number = next(_COUNTER)
    return f"a photo of {number % 97} red boats and {number} birds"


def _run(tree: Path, words: Sequence[str]) -> None:
    subprocess.run([sys.executable, "-m", *words], cwd=tree, check=True, capture_output=True)


if __name__ == "__main__":
    main()
