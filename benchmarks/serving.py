"""Embeddings over HTTP for 32 clients at once: ours in float32 and bfloat16 beside infinity.

    python -m benchmarks.serving [--quick]

The rows of ``benchmarks.service`` that ``make bench`` shows; that one measures more.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial

from benchmarks import service, service_peers
from benchmarks.bench_models import model_folders
from benchmarks.bench_part import Plan, run_part
from benchmarks.bench_rows import Row
from benchmarks.environments import PeerMissingError, find

PART = "serving"
PEER = "infinity, torch float32"
AIM_IMAGES = 2.0
"""Of the issue that built the service, for the default precision."""


def measure(plan: Plan) -> Iterator[Row]:
    """Start all servers, ask them in turn and yield a row for each of ours."""
    try:
        program = find("infinity", folder=plan.folder).program("infinity_emb")
    except PeerMissingError as error:
        yield Row(PART, "embeddings over HTTP", reason=f"not measured: infinity: {error}")
        return
    models = model_folders(plan.folder)
    own = str(models / "sightline")
    with ExitStack() as stack:
        servers = [
            stack.enter_context(service_peers.ours("float32", own)),
            stack.enter_context(service_peers.ours("bfloat16", own, "--precision", "bfloat16")),
            stack.enter_context(
                service_peers.infinity(PEER, program, str(models / "hugging-face"))
            ),
        ]
        sections = (("images", service.images, 64), ("texts", service.texts, 128))
        for what, make, count in sections:
            service.in_turn(servers, partial(make, count=service.CLIENTS), service.CLIENTS, 1)
            loads = service.in_turn(
                servers, partial(make, count=count), service.CLIENTS, plan.rounds(quick=2, full=7)
            )
            theirs = tuple(load.rate for load in loads[PEER])
            for server in servers[:-1]:
                yield Row(
                    PART,
                    f"{what} embedded over HTTP for {service.CLIENTS} clients, {server.name}",
                    unit=f"{what}/s",
                    ours=tuple(load.rate for load in loads[server.name]),
                    beside=PEER,
                    theirs=theirs,
                    aim=AIM_IMAGES if (what, server.name) == ("images", "float32") else None,
                )


if __name__ == "__main__":
    run_part(measure, __doc__)
