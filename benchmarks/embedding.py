"""JPEG bytes to vector, and text to vector: ours in each precision beside open_clip in eager mode.

    python -m benchmarks.embedding [--quick] [--only single bulk text tower fidelity]

One ViT-B-32 of random weights for all sides, each in a process of its own with as many threads as
cores; in every round each is asked in turn. A loop is open_clip's transform and model in turn, in
batches of 32, as its documentation shows it; a DataLoader is torch's, with a process for each core.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.bench_models import int8_folder, model_folders, tuned_folder
from benchmarks.bench_part import Plan, run_part
from benchmarks.bench_rows import Better, Row
from benchmarks.photographs import SIZES, write_photographs
from benchmarks.workers import Worker, workers
from core.errors import EncoderError

PART = "embedding"
ARCHITECTURE = "ViT-B-32"
PEER = "open_clip eager float32"
OURS = ("float32", "bfloat16", "int8")
WAYS = {"loop": "a loop", "loader": "a DataLoader"}
SMALL, MIDDLE, LARGE = SIZES
AIMS_ONE = {"bfloat16": 3.2, "int8": 4.5}
AIMS_MANY = {
    (SMALL, "bfloat16"): 2.4,
    (SMALL, "int8"): 4.2,
    (LARGE, "bfloat16"): 4.6,
    (LARGE, "int8"): 6.5,
}
AIM_ONE_TEXT, AIM_MANY_TEXTS = 12.0, 20.0
LEAST_COSINE = 0.999
_PICTURES = {SMALL: 64, MIDDLE: 32, LARGE: 16}
"""Different photographs of each size; the bulk path repeats them."""
_SINGLE = {SMALL: 16, MIDDLE: 12, LARGE: 8}
_BULK = {
    SMALL: {"loop": 64, "loader": 128, "ours": 192},
    MIDDLE: {"loop": 64, "loader": 128, "ours": 192},
    LARGE: {"loop": 32, "loader": 96, "ours": 128},
}
"""Images of one run: with few batches nothing would run ahead of the model."""
_COUNTER = itertools.count(os.getpid() * 10_000)


def measure(plan: Plan) -> Iterator[Row]:
    """Load all sides, then yield the rows of each section."""
    folders = {
        size: write_photographs(_folder(plan, size), count, SIZES[size])[0].parent
        for size, count in _PICTURES.items()
    }
    sides, missing = start(plan)
    with workers([*sides.values()]):
        yield from missing
        if plan.wants("fidelity"):
            yield from fidelity(plan, sides, folders[SMALL])
        if plan.wants("single"):
            for size, count in _SINGLE.items():
                yield from single(plan, sides, size, folders[size], count)
        if plan.wants("bulk"):
            for size, counts in _BULK.items():
                if not (plan.is_quick and size == MIDDLE):
                    yield from bulk(plan, sides, size, folders[size], counts)
        if plan.wants("text"):
            yield from texts(plan, sides)
        if plan.wants("tower"):
            yield from towers(plan, sides)


def start(plan: Plan) -> tuple[dict[str, Worker], list[Row]]:
    """Start every side that there is; return rows for those that there are not."""
    models = model_folders(plan.folder)
    folders = dict.fromkeys(OURS, models / "sightline")
    missing = []
    try:
        folders |= dict.fromkeys(OURS, tuned_folder(plan.folder))
        folders["int8"] = int8_folder(plan.folder)
    except (RuntimeError, EncoderError) as error:
        missing.append(Row(PART, "runtimes as tuned", reason=f"not measured: {error}"))
    words = {PEER: ["benchmarks.embedding_open_clip", ARCHITECTURE, str(models / "weights.pt")]}
    for precision, own in folders.items():
        words[precision] = ["benchmarks.embedding_ours", str(own), precision]
    log = plan.folder / "log"
    log.mkdir(parents=True, exist_ok=True)
    threads = ["--threads", str(plan.threads)]
    started = {
        name: Worker(name, [*said, *threads], threads=plan.threads, log=log / f"side-{place}.txt")
        for place, (name, said) in enumerate(words.items())
    }
    for name, worker in [*started.items()]:
        try:
            worker.wait_until_ready()
        except RuntimeError as error:
            if name == PEER:
                raise
            started.pop(name).close()
            missing.append(Row(PART, f"all of {name}", reason=f"not measured: {error}"))
    return started, missing


def single(
    plan: Plan, sides: Mapping[str, Worker], size: str, folder: Path, count: int
) -> Iterator[Row]:
    """Yield the rows of one image after the other."""
    found = in_turn(plan, sides, "one_image", folder=str(folder), count=count)
    aims = AIMS_ONE if size == SMALL else {}
    yield from rows(f"one JPEG of {size}", found, unit="ms", better="less", aims=aims)


def bulk(
    plan: Plan, sides: Mapping[str, Worker], size: str, folder: Path, counts: Mapping[str, int]
) -> Iterator[Row]:
    """Yield the rows of many images, beside both ways to use open_clip."""
    found: dict[str, list[float]] = {}
    for _ in range(_rounds(plan)):
        for name, worker in sides.items():
            for way in WAYS if name == PEER else ("ours",):
                words = {"folder": str(folder), "count": counts[way], "way": way}
                key = way if name == PEER else name
                found.setdefault(key, []).append(worker.ask("many_images", **words))
    aims = {precision: aim for (of, precision), aim in AIMS_MANY.items() if of == size}
    for way, explained in WAYS.items():
        pair = {name: found[name] for name in sides if name != PEER} | {PEER: found[way]}
        what = f"many JPEGs of {size}, beside {explained}"
        yield from rows(what, pair, unit="images/s", better="more", aims=aims)


def texts(plan: Plan, sides: Mapping[str, Worker]) -> Iterator[Row]:
    """Yield the rows of short texts, one by one and in batches of 32.

    Beside an int8 image tower the text tower runs in bfloat16: there is no row of its own.
    """
    sides = {name: worker for name, worker in sides.items() if name != "int8"}
    for task, count, unit, aim in (
        ("one_text", 24, "ms", AIM_ONE_TEXT),
        ("many_texts", 64, "texts/s", AIM_MANY_TEXTS),
    ):
        found: dict[str, list[float]] = {}
        for _ in range(_rounds(plan)):
            words = [f"a photo of {next(_COUNTER)} red boats" for _ in range(count)]
            for name, worker in sides.items():
                found.setdefault(name, []).append(worker.ask(task, texts=words))
        what = "one short text" if unit == "ms" else "short texts in batches of 32"
        better: Better = "less" if unit == "ms" else "more"
        yield from rows(what, found, unit=unit, better=better, aims={"bfloat16": aim})


def towers(plan: Plan, sides: Mapping[str, Worker]) -> Iterator[Row]:
    """Yield what share of the best matrix product the image towers reach, in turn with it."""
    from encoders.open_clip_counting import count_source

    gigaflops = 2e-9 * count_source(ARCHITECTURE, depth=0).image[0].multiply_adds
    log = plan.folder / "log" / "roofline.txt"
    words = ["benchmarks.roofline_worker"]
    limit = Worker("the matrix product", words, threads=plan.threads, log=log)
    ours: dict[str, list[float]] = {}
    theirs: dict[str, list[float]] = {}
    with workers([limit]):
        limit.wait_until_ready()
        for _ in range(_rounds(plan)):
            for precision, worker in sides.items():
                if precision != PEER:
                    rate = worker.ask("tower", batch=32, repeats=3)
                    ours.setdefault(precision, []).append(rate * gigaflops)
                    best = limit.ask("product", kind=precision, threads=plan.threads)
                    theirs.setdefault(precision, []).append(best)
    for precision, rates in ours.items():
        yield Row(
            PART,
            f"image tower in batches, {precision}",
            unit="GFLOP/s",
            ours=tuple(rates),
            beside=f"the best {precision} matrix product",
            theirs=tuple(theirs[precision]),
            aim=0.8,
            is_limit=True,
        )


def fidelity(plan: Plan, sides: Mapping[str, Worker], folder: Path) -> Iterator[Row]:
    """Yield cosines to what open_clip computes; random weights make all pictures nearly alike."""
    said = [f"a photo of {number} red boats" for number in range(64)]
    found = {}
    for place, (name, worker) in enumerate(sides.items()):
        to = plan.folder / "log" / f"vectors-{place}.npz"
        worker.ask("vectors", folder=str(folder), count=64, texts=said, to=str(to))
        found[name] = np.load(to)
    for name in sides:
        for kind in ("images", "texts"):
            if name == PEER or (name, kind) == ("int8", "texts"):
                continue
            cosines_N = np.sum(found[name][kind] * found[PEER][kind], axis=1)
            for which, value in (("mean", cosines_N.mean()), ("least", cosines_N.min())):
                yield Row(
                    PART,
                    f"{which} cosine of 64 {kind}, {name}",
                    unit="cosine",
                    ours=(float(value),),
                    beside=PEER,
                    theirs=(LEAST_COSINE,),
                    aim=1.0,
                    is_limit=True,
                )


def in_turn(
    plan: Plan, sides: Mapping[str, Worker], task: str, **words: object
) -> dict[str, list[float]]:
    """Return the figures of each side, asked one after the other in every round."""
    found: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(_rounds(plan)):
        for name, worker in sides.items():
            found[name].append(worker.ask(task, **words))
    return found


def rows(
    what: str,
    found: Mapping[str, Sequence[float]],
    *,
    unit: str,
    better: Better,
    aims: Mapping[str, float],
) -> Iterator[Row]:
    """Yield one row for each precision of ours."""
    for precision, figures in found.items():
        if precision != PEER:
            yield Row(
                PART,
                f"{what}, {precision}",
                unit=unit,
                better=better,
                ours=tuple(figures),
                beside=PEER,
                theirs=tuple(found[PEER]),
                aim=aims.get(precision),
            )


def _rounds(plan: Plan) -> int:
    return plan.rounds(quick=3, full=9)


def _folder(plan: Plan, size: str) -> Path:
    return plan.folder / "photographs" / size.replace(" ", "")


if __name__ == "__main__":
    run_part(measure, __doc__, sections=("fidelity", "single", "bulk", "text", "tower"))
