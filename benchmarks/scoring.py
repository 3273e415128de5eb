"""Metrics of retrieval from the same vectors: ours beside ranx and CLIP_benchmark.

    python -m benchmarks.scoring [--quick]

The rows of ``benchmarks.evaluation`` that ``make bench`` shows. ranx comes after torch's search.
Figures that two give must be equal.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import evaluation
from benchmarks.bench_part import Plan, run_part
from benchmarks.bench_rows import Row
from benchmarks.environments import PeerMissingError, find

PART = "scoring"


def measure(plan: Plan) -> Iterator[Row]:
    """Run all of them in turn and yield a row for each peer."""
    try:
        peer = str(find("evaluation", folder=plan.folder).program("python"))
    except PeerMissingError as error:
        yield Row(PART, "metrics of retrieval", reason=f"not measured: ranx: {error}")
        return
    images = 2000 if plan.is_quick else 5000
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        evaluation.make(folder, images=images, captions=5, dim=512)
        contenders = [evaluation.ours(folder, "both"), evaluation.peer(peer, folder, "ranx_both")]
        contenders.append(evaluation.peer(peer, folder, "clip_benchmark"))
        runs = evaluation.in_turn(contenders, plan.rounds(quick=2, full=3))
    queries = {"text_to_image": 5 * images, "image_to_text": images}
    ours = runs.pop("sightline")
    for name, found in runs.items():
        same = min(evaluation.check(name, ours[0].figures, run.figures, queries) for run in found)
        yield Row(
            PART,
            f"all metrics of {images} images and {5 * images} captions, both directions",
            unit="s",
            better="less",
            ours=tuple(run.seconds for run in ours[: len(found)]),
            beside=name,
            theirs=tuple(run.seconds for run in found),
            note=f"{same} figures are the same",
        )


if __name__ == "__main__":
    run_part(measure, __doc__)
