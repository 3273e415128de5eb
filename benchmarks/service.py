"""The service beside infinity and a plain FastAPI endpoint: one interleaved run, same weights.

    python -m venv peer    # infinity's own environment
    peer/bin/pip install "infinity-emb[torch,vision,server]==0.0.78" \
        "numpy<2" "click<8.2" requests aiohttp
    python -m benchmarks.service --infinity peer/bin/infinity_emb [--rounds 5]

All servers run at the same time on the same cores and are asked in turn; medians over the rounds.
The client runs on these cores too. infinity's addition to a request is measured with its
``debugengine``, ours with a model that costs nothing.
"""

from __future__ import annotations

import argparse
import base64
import io
import itertools
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks import service_peers as peers
from benchmarks.service_load import Load, get_bytes, request_bytes, resident_bytes, run_load
from benchmarks.service_peers import ROOT, Server

COUNTER = itertools.count()
PHOTO = (640, 480)
CLIENTS = 32


@dataclass(frozen=True, slots=True)
class Plan:
    """What there is to measure."""

    models: Path
    """Folder with the same weights for both."""
    infinity: Path | None
    """Its program, ``None`` to leave it out."""
    rounds: int


def main() -> None:
    """Measure and print tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--infinity", type=Path, help="Its program; without it, it is left out.")
    parser.add_argument("--models", type=Path, help="Folder for the models, kept.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    arguments = parser.parse_args()
    print(f"machine: {platform.platform()}, {os.cpu_count()} cores, Python {sys.version[:7]}")
    with tempfile.TemporaryDirectory() as folder:
        models = arguments.models or Path(folder)
        if not (models / "hugging-face").exists():
            words = [sys.executable, "-m", "benchmarks.service_model", str(models)]
            subprocess.run(words, cwd=ROOT, check=True, capture_output=True)
        for name in arguments.only:
            print(f"\n{name}")
            SECTIONS[name](Plan(models, arguments.infinity, arguments.rounds))


def print_overhead(plan: Plan) -> None:
    """A model that costs nothing: what the server itself adds to a request."""
    with ExitStack() as stack:
        servers = [stack.enter_context(peers.ours("sightline", "free"))]
        servers.append(stack.enter_context(peers.plain("plain FastAPI", "free")))
        if plan.infinity:
            model = str(plan.models / "hugging-face")
            started = peers.infinity("infinity", plan.infinity, model, engine="debugengine")
            servers.append(stack.enter_context(started))
        for clients, count in ((1, 300), (CLIENTS, 1500)):
            loads = in_turn(servers, partial(texts, count=count), clients, plan.rounds)
            print_loads(f"text embedding, {clients} client(s)", loads)
        search = {f"{servers[0].name}, cached text search": []}
        for _ in range(plan.rounds):
            requests = [get_bytes("/v1/search?q=red&k=10")] * 300
            load = run_load(servers[0].port, requests, clients=1, pid=servers[0].pid)
            search[f"{servers[0].name}, cached text search"].append(load)
        print_loads("search, 1 client", search)


def print_batching(plan: Plan) -> None:
    """A model of 4 ms a call and 0.125 ms an input: what batching across requests brings."""
    with ExitStack() as stack:
        servers = [stack.enter_context(peers.ours("sightline", "batching"))]
        servers.append(stack.enter_context(peers.plain("plain FastAPI", "batching")))
        for clients, count in ((1, 100), (CLIENTS, 800)):
            loads = in_turn(servers, partial(texts, count=count), clients, plan.rounds)
            print_loads(f"text embedding, {clients} client(s)", loads)


def print_models(plan: Plan) -> None:
    """ViT-B-32: images and texts a second, against infinity, a plain endpoint and no server."""
    own = str(plan.models / "sightline")
    with ExitStack() as stack:
        servers = [
            stack.enter_context(peers.ours("sightline", own)),
            stack.enter_context(peers.ours("sightline bfloat16", own, "--precision", "bfloat16")),
            stack.enter_context(peers.ours("sightline torch", own, "--runtime", "torch")),
            stack.enter_context(peers.plain("plain FastAPI", own)),
        ]
        if plan.infinity:
            model = str(plan.models / "hugging-face")
            servers.append(stack.enter_context(peers.infinity("infinity", plan.infinity, model)))
        for title, make, count in (("images", images, 96), ("texts", texts, 256)):
            in_turn(servers, partial(make, count=CLIENTS), CLIENTS, 1)
            loads = in_turn(servers, partial(make, count=count), CLIENTS, plan.rounds)
            print_loads(f"{title}, {CLIENTS} clients", loads)
        loads = in_turn(servers, partial(texts, count=60), 1, plan.rounds)
        print_loads("texts, 1 client", loads)
        print_bare(own, servers[0], plan.rounds)
        print_hits(servers[0])


def print_poison(plan: Plan) -> None:
    """One image in twenty is cut off: how many good ones are still answered?"""
    with ExitStack() as stack:
        servers = [stack.enter_context(peers.ours("sightline", str(plan.models / "sightline")))]
        if plan.infinity:
            model = str(plan.models / "hugging-face")
            servers.append(stack.enter_context(peers.infinity("infinity", plan.infinity, model)))
        for server in servers:
            good = images(server, 95)
            bad = [image_request(server, photo()[:2000]) for _ in range(5)]
            mixed = [*itertools.chain.from_iterable(zip(*[iter(good)] * 19, strict=True))]
            for place, request in enumerate(bad):
                mixed.insert(20 * place + 10, request)
            load = run_load(server.port, mixed, clients=8, pid=server.pid, timeout_s=10)
            print(f"| {server.name} | {len(load.latencies_ms)} of 95 good images answered |")


SECTIONS: dict[str, Callable[[Plan], None]] = {
    "overhead": print_overhead,
    "batching": print_batching,
    "models": print_models,
    "poison": print_poison,
}


def in_turn(
    servers: Sequence[Server],
    make: Callable[[Server], list[bytes]],
    clients: int,
    rounds: int,
) -> dict[str, list[Load]]:
    """Return the loads of each server, asked one after the other in every round."""
    found: dict[str, list[Load]] = {server.name: [] for server in servers}
    for _ in range(rounds):
        for server in servers:
            load = run_load(server.port, make(server), clients=clients, pid=server.pid)
            found[server.name].append(load)
    return found


def print_loads(title: str, loads: dict[str, list[Load]]) -> None:
    """Print a table; ratios are against the first line, above 1 it is ahead."""
    print(f"\n| {title} | p50 ms | answers/s (least-most) | first / this | CPU us | failed |")
    print("|---|---|---|---|---|---|")
    first = statistics.median(load.rate for load in next(iter(loads.values())))
    for name, rounds in loads.items():
        rates = [load.rate for load in rounds]
        rate = statistics.median(rates)
        p50 = statistics.median(load.p50_ms for load in rounds)
        cpu = statistics.median(load.cpu_us for load in rounds)
        failed = sum(load.failed for load in rounds)
        spread = f"{rate:.1f} ({min(rates):.1f}-{max(rates):.1f})"
        print(f"| {name} | {p50:.2f} | {spread} | {first / rate:.2f} | {cpu:.0f} | {failed} |")


def print_bare(model: str, server: Server, rounds: int) -> None:
    """Print the share of the bare model's rate that the server gives away, and its memory."""
    with tempfile.TemporaryDirectory() as folder:
        for number in range(96):
            (Path(folder) / f"{number:03}.jpg").write_bytes(photo())
        words = [sys.executable, "-m", "benchmarks.service_apps", "bare", "--model", model]
        found: list[dict[str, float]] = []
        rates: dict[str, list[float]] = {"images": [], "texts": []}
        for _ in range(rounds):
            done = subprocess.run(
                [*words, "--images", folder], cwd=ROOT, check=True, capture_output=True
            )
            found.append(json.loads(done.stdout))
            for name, make, count in (("images", images, 96), ("texts", texts, 512)):
                requests = make(server, count)
                load = run_load(server.port, requests, clients=CLIENTS, pid=server.pid)
                rates[name].append(load.rate)
    for name, served in rates.items():
        bare = statistics.median(item[f"{name}_per_s"] for item in found)
        print(f"| {name}: served / bare | {statistics.median(served) / bare:.2f} |")
    direct = statistics.median(item["search_ms"] for item in found)
    loads = [
        run_load(server.port, searches(60), clients=1, pid=server.pid).p50_ms for _ in range(rounds)
    ]
    added = statistics.median(loads) - direct
    print(f"| text search, p50 added to the direct call of {direct:.2f} ms | {added:.2f} ms |")
    resident = resident_bytes(server.pid) / 2**20
    memory = statistics.median(item["rss_mb"] for item in found)
    print(f"| memory: server / bare model and index | {resident:.0f} / {memory:.0f} MB |")


def print_hits(server: Server) -> None:
    """Print what asking again costs."""
    for name, requests in (("image", images(server, 30)), ("text", texts(server, 60))):
        miss = run_load(server.port, requests, clients=1, pid=server.pid).p50_ms
        hit = run_load(server.port, requests, clients=1, pid=server.pid).p50_ms
        print(f"| the same {name} again | {hit:.2f} ms, the first time {miss:.2f} ms |")


def texts(server: Server, count: int) -> list[bytes]:
    """Return requests for texts that nobody sent before."""
    return [
        embedding_request(server, f"a photo of the number {next(COUNTER)}", "text")
        for _ in range(count)
    ]


def searches(count: int) -> list[bytes]:
    """Return searches for texts that nobody sent before."""
    return [get_bytes(f"/v1/search?k=10&q=photo+of+number+{next(COUNTER)}") for _ in range(count)]


def images(server: Server, count: int) -> list[bytes]:
    """Return requests for pictures that nobody sent before."""
    return [image_request(server, photo()) for _ in range(count)]


def image_request(server: Server, data: bytes) -> bytes:
    """Return the request that embeds one picture."""
    text = f"data:image/jpeg;base64,{base64.b64encode(data).decode()}"
    return embedding_request(server, text, "image")


def embedding_request(server: Server, text: str, modality: str) -> bytes:
    """Return a request in the shape that all servers here understand."""
    body = {"model": server.model, "input": [text], "modality": modality}
    return request_bytes(server.path, json.dumps(body).encode())


def photo() -> bytes:
    """Return the bytes of a JPEG that nobody sent before: noise of some size under a gradient."""
    number = next(COUNTER)
    noise = np.random.default_rng(number).integers(0, 64, (30, 40, 3), np.uint8)
    image = Image.fromarray(noise).resize(PHOTO, Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    image.point(lambda value: value * 3 + number % 60).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


if __name__ == "__main__":
    main()
