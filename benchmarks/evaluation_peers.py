"""The peers' side of the benchmark of evaluation, run by the Python of their own environment.

    PEER benchmarks/evaluation_peers.py FOLDER --contender clip_benchmark

Nothing of ours is imported. CLIP_benchmark runs its own routine, with a model that looks vectors
up. ranx has no search: plain torch finds the best 100 for it, and it gets them as arrays, which is
its quickest input. Its functions are compiled before the clock starts.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

KS = (1, 5, 10)
DEPTH = 100
BATCH = 64
"""CLIP_benchmark's own default."""
MEMORY_LIMIT = 16 << 30
"""More than this is refused to the process, so that a peer cannot take the machine down."""
SLICE = 2 * BATCH
"""Queries that CLIP_benchmark's recall is timed with where all of them do not fit."""
_BLOCK = 1000

Arrays = tuple[Any, Any, Any]
"""Images, captions, and the image of each caption."""
Figures = dict[str, float]


def main() -> None:
    """Run one contender and print its time, memory and figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--contender", choices=CONTENDERS, required=True)
    asked = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
    run = CONTENDERS[asked.contender]
    run(_small())
    names = ("images", "captions", "image_of_caption")
    images, captions, owners = (np.load(asked.folder / f"{name}.npy") for name in names)
    before_mb = peak_mb()
    started = time.perf_counter()
    try:
        figures, failed = run((images, captions, owners)), ""
    except (MemoryError, RuntimeError) as error:
        figures, failed = {}, str(error).splitlines()[0]
    seconds = time.perf_counter() - started
    found = {"seconds": seconds, "before_mb": before_mb, "peak_mb": peak_mb(), "figures": figures}
    print(json.dumps(found | {"failed": failed}))


def clip_benchmark(arrays: Arrays) -> Figures:
    """Run its routine for zero-shot retrieval as it is, both directions."""
    routine = importlib.import_module("clip_benchmark.metrics.zeroshot_retrieval")
    torch = importlib.import_module("torch")
    found = routine.evaluate(
        _LookUp(torch.from_numpy(arrays[1])),
        list(_batches(torch.from_numpy(arrays[0]), arrays[2])),
        lambda texts: torch.tensor([int(text) for text in texts]),
        "cpu",
        amp=False,
        recall_k_list=list(KS),
    )
    return {
        f"{ours} hit@{k}": found[f"{theirs}_retrieval_recall@{k}"]
        for ours, theirs in (("text_to_image", "image"), ("image_to_text", "text"))
        for k in KS
    }


def clip_benchmark_slice(arrays: Arrays) -> Figures:
    """Run its recall alone, with the scores of some captions; nothing is kept in memory for all."""
    routine = importlib.import_module("clip_benchmark.metrics.zeroshot_retrieval")
    torch = importlib.import_module("torch")
    images, captions = torch.from_numpy(arrays[0]), torch.from_numpy(arrays[1][:SLICE])
    started = time.perf_counter()
    scores = captions @ images.t()
    positive = torch.zeros_like(scores, dtype=bool)
    positive[torch.arange(len(scores)), torch.from_numpy(arrays[2][:SLICE])] = True
    for k in KS:
        routine.batchify(routine.recall_at_k, scores, positive, BATCH, "cpu", k=k)
    seconds = time.perf_counter() - started
    return {"seconds for all": seconds * len(arrays[1]) / len(captions)}


def ranx_both(arrays: Arrays) -> Figures:
    """Search both directions and let ranx score the lists."""
    return ranx_text(arrays) | _ranx("image_to_text", arrays[0], arrays[1], _captions_of(arrays))


def ranx_text(arrays: Arrays) -> Figures:
    """Search images with captions and let ranx score the lists."""
    return _ranx("text_to_image", arrays[1], arrays[0], arrays[2][:, None])


def peak_mb() -> float:
    """Return the most memory that this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


CONTENDERS: dict[str, Callable[[Arrays], Figures]] = {
    "clip_benchmark": clip_benchmark,
    "clip_benchmark_slice": clip_benchmark_slice,
    "ranx_both": ranx_both,
    "ranx_text": ranx_text,
}


@dataclass(frozen=True, slots=True)
class _LookUp:
    """A model whose images are vectors already and whose tokens are rows of a table."""

    captions: Any

    def encode_image(self, images: Any) -> Any:
        """Return the vectors."""
        return images

    def encode_text(self, tokens: Any) -> Any:
        """Return the rows."""
        return self.captions[tokens]


def _batches(images: Any, owners: Any) -> Iterator[tuple[Any, list[list[str]]]]:
    """Yield images with the numbers of their captions; captions lie in order of their images."""
    bounds = np.searchsorted(owners, np.arange(len(images) + 1))
    for start in range(0, len(images), BATCH):
        end = min(start + BATCH, len(images))
        texts = [
            [str(caption) for caption in range(bounds[image], bounds[image + 1])]
            for image in range(start, end)
        ]
        yield images[start:end], texts


def _captions_of(arrays: Arrays) -> Any:
    """Return the captions of each image; each has as many."""
    return np.argsort(arrays[2], kind="stable").reshape(len(arrays[0]), -1)


def _ranx(direction: str, queries: Any, gallery: Any, relevant: Any) -> Figures:
    ranx, torch = importlib.import_module("ranx"), importlib.import_module("torch")
    items = torch.from_numpy(gallery)
    depth = min(DEPTH, len(gallery))
    run = np.empty((len(queries), depth, 2))
    for start in range(0, len(queries), _BLOCK):
        scores = torch.from_numpy(queries[start : start + _BLOCK]) @ items.t()
        best = torch.topk(scores, depth, dim=1)
        run[start : start + _BLOCK, :, 0] = best.indices.numpy()
        run[start : start + _BLOCK, :, 1] = best.values.numpy()
    qrels = np.stack([relevant, np.ones_like(relevant)], axis=2).astype(np.float64)
    names = [f"{name}@{k}" for k in KS for name in ("recall", "hit_rate")] + ["map", "mrr"]
    threads = os.cpu_count() or 1
    found = ranx.evaluate(qrels, run, names, threads=threads)
    ours = {name: name.replace("hit_rate", "hit") for name in names}
    return {f"{direction} {ours[name]}": float(value) for name, value in found.items()}


def _small() -> Arrays:
    """Return data to compile and warm up with."""
    rows = np.random.default_rng(0).standard_normal((128, 16)).astype(np.float32)
    return rows, np.repeat(rows, 2, axis=0), np.repeat(np.arange(128), 2)


if __name__ == "__main__":
    main()
