"""How much of exact search an approximate index finds: the loss of the index, not of the model.

Two metrics share one name elsewhere; here each has its own. Both sides must use the same score.

# N = queries, K = places
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.errors import UsageError
from core.types import IdArray

NOTHING = -1
"""Stands where a list is shorter than K."""


def ann_recall_at_k(found_NK: IdArray, exact_NK: IdArray, k: int) -> NDArray[np.float64]:
    """Return |found top k and exact top k| / k of each query: k-recall@k.

    Divided by the number of exact answers where there are fewer than k.
    Source: Aumueller, Bernhardsson, Faithfull 2020, ANN-Benchmarks, section 2.1.

    Raises:
        UsageError: the lists differ in number or are shorter than k.
    """
    found_NK, exact_NK = _first(found_NK, exact_NK, k)
    shared_NK = (exact_NK[:, :, None] == found_NK[:, None, :]).any(axis=2)
    real_NK = exact_NK != NOTHING
    values_N: NDArray[np.float64] = (shared_NK & real_NK).sum(axis=1) / real_NK.sum(axis=1)
    return values_N


def ann_1_recall_at_k(found_NK: IdArray, exact_NK: IdArray, k: int) -> NDArray[np.float64]:
    """Return 1 for each query whose exact nearest item is in the found top k, else 0: 1-recall@k.

    What FAISS's own benchmarks print as "R@k". Source: Jegou, Douze, Schmid 2011, Product
    quantization for nearest neighbor search, section V.

    Raises:
        UsageError: the lists differ in number or are shorter than k.
    """
    found_NK, exact_NK = _first(found_NK, exact_NK, k)
    values_N: NDArray[np.float64] = (found_NK == exact_NK[:, :1]).any(axis=1).astype(np.float64)
    return values_N


def _first(found_NK: IdArray, exact_NK: IdArray, k: int) -> tuple[IdArray, IdArray]:
    """Return the first k places of both."""
    widths = (found_NK.shape[1], exact_NK.shape[1])
    if len(found_NK) != len(exact_NK) or not 1 <= k <= min(widths):
        raise UsageError(
            f"k = {k}, lists of {found_NK.shape} and {exact_NK.shape}: expected as many lists, of "
            "k places or more",
            param="k",
        )
    if np.any(exact_NK[:, 0] == NOTHING):
        raise UsageError("a query has no exact answer; leave it out")
    return found_NK[:, :k], exact_NK[:, :k]
