"""Our side of the benchmark of evaluation: one task in one process, its figures as JSON.

    python -m benchmarks.evaluation_ours FOLDER --task retrieval

# N = queries, M = gallery items, G = images, C = captions, D = embedding dimension
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.evaluation_data import Data, load_data, make_data
from core.measures.query_metrics import average_precision_at_k, query_values, reciprocal_rank
from core.types import FloatArray
from evaluation.comparison import compare_values
from evaluation.exact_search import exact_ranks

KS = (1, 5, 10)
DEPTH = 100
"""Where the lists of ranx end."""
METRICS = 5
"""Compared at once, as ``sightline evaluate compare`` does with the headlines."""

Figures = dict[str, float]


def main() -> None:
    """Run one task and print its time, memory and figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--task", choices=TASKS, required=True)
    asked = parser.parse_args()
    task = TASKS[asked.task]
    task(make_data(50, 2, 16))
    data = load_data(asked.folder)
    before_mb = peak_mb()
    started = time.perf_counter()
    figures = task(data)
    seconds = time.perf_counter() - started
    found = {"seconds": seconds, "before_mb": before_mb, "peak_mb": peak_mb(), "figures": figures}
    print(json.dumps(found))


def both_directions(data: Data) -> Figures:
    """Score captions against all images, and images against all captions."""
    return text_to_image(data) | image_to_text(data)


def text_to_image(data: Data) -> Figures:
    """Score captions against all images."""
    relevant = [[image] for image in data.image_C.tolist()]
    return _prefixed("text_to_image", _scored(data.captions_CD, data.images_GD, relevant))


def image_to_text(data: Data) -> Figures:
    """Score images against all captions, of which several are right."""
    captions: list[list[int]] = [[] for _ in data.images_GD]
    for caption, image in enumerate(data.image_C.tolist()):
        captions[image].append(caption)
    return _prefixed("image_to_text", _scored(data.images_GD, data.captions_CD, captions))


def comparison(data: Data) -> Figures:
    """Compare two systems on as many queries as there are captions, without clusters."""
    generator = np.random.default_rng(0)
    before = {f"metric {number}": generator.random(len(data.image_C)) for number in range(METRICS)}
    after = {
        name: np.clip(values_N + generator.normal(0.001, 0.1, len(values_N)), 0, 1)
        for name, values_N in before.items()
    }
    return {found.name: found.p for found in compare_values(before, after)}


def peak_mb() -> float:
    """Return the most memory that this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


TASKS: dict[str, Callable[[Data], Figures]] = {
    "both": both_directions,
    "text": text_to_image,
    "comparison": comparison,
}


def _scored(
    queries_ND: FloatArray, gallery_MD: FloatArray, relevant_N: Sequence[Sequence[int]]
) -> Figures:
    """Return every metric of a report, and the two that end where the lists of ranx end."""
    ids = [f"{number:06}" for number in range(len(gallery_MD))]
    judged = exact_ranks(queries_ND, gallery_MD, ids, relevant_N, top=max(KS) + 1).judged
    values = query_values(judged, KS)
    values["map"] = average_precision_at_k(judged, DEPTH)
    values["mrr"] = reciprocal_rank(judged, DEPTH)
    return {name: float(np.nanmean(values_N)) for name, values_N in values.items()}


def _prefixed(direction: str, figures: Figures) -> Figures:
    return {f"{direction} {name}": value for name, value in figures.items()}


if __name__ == "__main__":
    main()
