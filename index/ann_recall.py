"""ann_recall@k: the overlap of an approximate with an exact search, and how sure it is.

# Q = queries, K = hits of one query
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from core.types import FloatArray

_Z_95 = 1.959964


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over queries with its 95 % confidence interval."""

    mean: float
    low: float
    high: float
    queries: int


def ann_recall(found_K: FloatArray, exact_K: FloatArray) -> float:
    """Return the share of the exact search's K hits that the other search found.

    Both are given by their exact scores: a hit that ties with the last exact one is as good as it.
    Source: Aumueller, Bernhardsson, Faithfull, ANN-Benchmarks (2020), section 3.3.
    """
    if not len(exact_K):
        return 1.0
    return min(1.0, float(np.count_nonzero(found_K >= exact_K.min())) / len(exact_K))


def estimate(recalls_Q: FloatArray) -> Estimate:
    """Return the mean recall with Wilson's score interval, each query counted as one trial.

    The neighbours of one query are found or missed together, so counting queries is cautious: a
    mean of numbers within 0 and 1 varies at most as much as one of zeros and ones.
    Source: Wilson, Probable inference, the law of succession, and statistical inference (1927).
    """
    count, mean = len(recalls_Q), float(np.mean(recalls_Q))
    spread = _Z_95**2 / count
    centre = (mean + spread / 2) / (1 + spread)
    half = _Z_95 * math.sqrt(mean * (1 - mean) / count + spread / (4 * count)) / (1 + spread)
    return Estimate(mean, max(0.0, centre - half), min(1.0, centre + half), count)


def queries_needed(target: float) -> int:
    """Return with how many queries a search without a miss proves ``target`` (below 1)."""
    return math.ceil(_Z_95**2 * target / (1 - target))
