"""A folder of JPEGs until it can be searched: ours beside clip-retrieval and autofaiss.

    python -m benchmarks.bulk [--quick] [--only float32 tuned embed]

``sightline add`` and the peer are whole processes from start to end, in turn, with the same weights
and photographs of 640 x 480. clip-retrieval runs its inference (files, batches of 32, a reader for
each core: on a CPU kinder to it than its defaults) and then autofaiss's build_index. A line more
holds our whole process against its inference loop alone, as its own statistics tell it: no start,
no warming up, no index.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.bench_models import model_folders, tuned_folder
from benchmarks.bench_part import Plan, run_part
from benchmarks.bench_rows import Row
from benchmarks.environments import ROOT, Environment, PeerMissingError, find
from benchmarks.photographs import SIZES, write_photographs
from core.types import FloatArray

PART = "bulk"
PEER = "clip-retrieval inference + autofaiss"
LOOP = "clip-retrieval's inference loop alone"
INFERENCE = "clip-retrieval inference"
AIM = 3.0
LEAST_COSINE = 0.999
FULL, QUICK = 10_000, 500
_SIZE = "640 x 480"
_BATCH = 32
_PATIENCE_S = 3600


@dataclass(frozen=True, slots=True)
class Peer:
    """How long clip-retrieval took, in seconds."""

    inference_s: float
    index_s: float
    loop_s: float
    """Of the inference, by its own statistics."""


def measure(plan: Plan, *, images: int | None = None) -> Iterator[Row]:
    """Run each side in turn and yield its rows."""
    count = images or (QUICK if plan.is_quick else FULL)
    photographs = plan.folder / "photographs" / f"bulk-{count}"
    write_photographs(photographs, count, SIZES[_SIZE])
    models, missing = _models(plan)
    yield from missing
    try:
        peer = find("clip-retrieval", folder=plan.folder)
    except PeerMissingError as error:
        yield Row(PART, f"add {count} JPEGs", reason=f"not measured: clip-retrieval: {error}")
        return
    ours: dict[str, list[float]] = {}
    theirs: list[Peer] = []
    cosines: list[float] = []
    weights = model_folders(plan.folder) / "weights.pt"
    for _ in range(plan.rounds(quick=2, full=1)):
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            for name, words in _commands(plan, photographs, folder, models).items():
                ours.setdefault(name, []).append(seconds(words))
            theirs.append(run_peer(peer, photographs, folder / "theirs", weights, plan.threads))
            if (folder / "embed").exists():
                cosines.append(least_cosine(folder / "embed", folder / "theirs"))
    yield from rows(count, ours, theirs, cosines)


def rows(
    count: int,
    ours: dict[str, list[float]],
    theirs: Sequence[Peer],
    cosines: Sequence[float],
) -> Iterator[Row]:
    """Yield the lines of the table."""
    whole = tuple(one.inference_s + one.index_s for one in theirs)
    for name, took in ours.items():
        if name == "embed":
            what = f"embed {count} JPEGs in its format"
            beside = ((INFERENCE, tuple(one.inference_s for one in theirs), None),)
        else:
            what = f"add {count} JPEGs, {name}"
            loop = tuple(one.loop_s for one in theirs)
            beside = ((PEER, whole, AIM), (LOOP, loop, None))
        for peer, other, aim in beside:
            yield Row(
                PART,
                what,
                unit="s",
                better="less",
                ours=tuple(took),
                beside=peer,
                theirs=other,
                aim=aim,
            )
    if cosines:
        yield Row(
            PART,
            "least cosine of our vectors to clip-retrieval's, both in float16",
            unit="cosine",
            ours=tuple(cosines),
            beside=INFERENCE,
            theirs=(LEAST_COSINE,),
            aim=1.0,
            is_limit=True,
        )


def run_peer(
    peer: Environment, photographs: Path, folder: Path, weights: Path, threads: int
) -> Peer:
    """Run clip-retrieval's inference, then autofaiss, and return how long each took."""
    embeddings = folder / "embeddings"
    folder.mkdir()
    inference = [str(peer.program("clip-retrieval")), "inference", "--input_format", "files"]
    inference += ["--input_dataset", str(photographs), "--output_folder", str(embeddings)]
    # A path behind the name of the architecture is what its loader takes for own weights.
    inference += ["--clip_model", f"open_clip:ViT-B-32/{weights}", "--enable_text", "False"]
    inference += ["--batch_size", str(_BATCH), "--num_prepro_workers", str(threads)]
    build = [str(peer.program("autofaiss")), "build_index", "--metric_type", "ip"]
    build += ["--embeddings", str(embeddings / "img_emb"), "--verbose", "40"]
    build += ["--index_path", str(folder / "knn.index")]
    build += ["--index_infos_path", str(folder / "index.json")]
    inference_s, index_s = seconds(inference), seconds(build)
    stats = json.loads((embeddings / "stats" / "0.json").read_text(encoding="utf-8"))
    return Peer(inference_s, index_s, float(stats["total_duration"]))


def seconds(words: Sequence[str]) -> float:
    """Return how long a command takes, from start to end.

    Raises:
        RuntimeError: it failed, with the last lines that it said.
    """
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "WANDB_MODE": "disabled"}
    started = time.perf_counter()
    done = subprocess.run(
        words,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=_PATIENCE_S,
        check=False,
    )
    took = time.perf_counter() - started
    if done.returncode:
        said = " ".join(done.stdout.strip().splitlines()[-3:])
        raise RuntimeError(f"{Path(words[0]).name} ended with {done.returncode}: {said}")
    return took


def least_cosine(ours: Path, theirs: Path) -> float:
    """Return the least cosine between both vectors of a picture; both go by the file's name."""
    own = vectors(ours / "img_emb")
    other = vectors(theirs / "embeddings" / "img_emb")
    lengths = np.linalg.norm(own, axis=1) * np.linalg.norm(other, axis=1)
    return float((np.sum(own * other, axis=1) / lengths).min())


def vectors(folder: Path) -> FloatArray:
    """Return the rows of all parts of a folder of embeddings, in float32."""
    parts = sorted(folder.glob("*.npy"))
    return np.concatenate([np.load(part).astype(np.float32) for part in parts])


def _models(plan: Plan) -> tuple[dict[str, Path], list[Row]]:
    """Return the model folders that are asked for, and rows for those that there are not."""
    found = {"float32": model_folders(plan.folder) / "sightline"}
    missing = []
    try:
        found["tuned"] = tuned_folder(plan.folder)
    except RuntimeError as error:
        missing.append(Row(PART, "add with a tuned model", reason=f"not measured: {error}"))
    return {name: path for name, path in found.items() if plan.wants(name)}, missing


def _commands(
    plan: Plan, photographs: Path, folder: Path, models: dict[str, Path]
) -> dict[str, list[str]]:
    run = [sys.executable, "-m", "cli.main"]
    threads = ["--threads", str(plan.threads), "--json"]
    found = {
        name: [
            *run,
            "add",
            str(photographs),
            "--gallery",
            str(folder / name),
            "--model",
            str(model),
        ]
        for name, model in models.items()
    }
    if models and plan.wants("embed"):
        best = str([*models.values()][-1])
        found["embed"] = [*run, "embed", str(photographs), "--out", str(folder / "embed")]
        found["embed"] += ["--model", best, "--no-captions"]
    return {name: [*words, *threads] for name, words in found.items()}


if __name__ == "__main__":
    run_part(measure, __doc__, sections=("float32", "tuned", "embed"))
