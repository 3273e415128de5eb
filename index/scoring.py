"""The one routine that decides scores, so that order never depends on k, batch or filter.

# K = rows, D = embedding dimension
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from core.types import FloatArray, IdArray

_CHUNK_ROWS = 4096
_FLOAT32_ROUNDOFF = 2.0**-24
_FLOAT16_ROUNDOFF = 2.0**-11
_FLOAT16_SUBNORMAL = 2.0**-25


def exact_scores(
    query_D: FloatArray, keys_K: IdArray, vectors_of: Callable[[IdArray], FloatArray]
) -> FloatArray:
    """Return the inner products of ``query_D`` with the vectors of ``keys_K``, shape (K,).

    Each is summed in float64 over D alone and rounded once to float32: equal vectors get equal
    scores whatever rows stand beside them, which no blocked matrix product promises.
    """
    scores_K = np.empty(len(keys_K), np.float32)
    for start in range(0, len(keys_K), _CHUNK_ROWS):
        rows = slice(start, start + _CHUNK_ROWS)
        scores_K[rows] = row_scores(query_D, vectors_of(keys_K[rows]))
    return scores_K


def row_scores(query_D: FloatArray, vectors_KD: FloatArray) -> FloatArray:
    """Return the inner product of ``query_D`` with each row, summed in float64, as float32."""
    products_KD = vectors_KD.astype(np.float64) * query_D.astype(np.float64)
    # Adding zero turns -0.0 into 0.0: the two are equal, but print differently.
    scores_K: FloatArray = products_KD.sum(axis=1).astype(np.float32) + np.float32(0)
    return scores_K


def score_error(dim: int) -> float:
    """Return a bound on how far any float32 inner product of unit vectors is from exact.

    Source: Higham, Accuracy and Stability of Numerical Algorithms (2002), section 3.1:
    the error is at most gamma_D * sum |a_i b_i|, and the sum is at most 1 for unit vectors.
    """
    return (dim + 8) * _FLOAT32_ROUNDOFF


def half_error(dim: int) -> float:
    """Return a bound on what rounding the stored unit vector to float16 adds to that error.

    Each component is off by its 2^-11th part, or by 2^-25 where it is subnormal; with sum
    |a_i b_i| <= 1 and sum |a_i| <= sqrt(D) (Higham, section 2.1).
    """
    return _FLOAT16_ROUNDOFF + _FLOAT16_SUBNORMAL * math.sqrt(dim)
