"""Scores of single pairs of rows, and how far a quick score may be from them.

A score is the inner product summed in float64 and rounded to float32 once: equal items tie
exactly, and nothing depends on how the work was cut. Matrix products in float32 are twice as fast
but do depend on it; ``quick_error`` bounds by how much.

# N = queries, M = gallery items, D = embedding dimension, P = pairs of rows
"""

from __future__ import annotations

import numpy as np

from core.errors import UsageError
from core.types import FloatArray, IdArray

_BLOCK_NUMBERS = 1 << 18
"""Numbers of each side that are turned to float64 at once: 2 MiB, which stay in the cache."""
_FLOAT32_UNIT = 2.0**-24
"""Largest relative error of rounding one number to float32."""
_MATRIX = 2


def exact_scores(
    queries_ND: FloatArray, gallery_MD: FloatArray, rows_P: IdArray, columns_P: IdArray
) -> FloatArray:
    """Return the score of each pair (row of the queries, column of the gallery), (P,)."""
    scores_P = np.empty(len(rows_P), np.float32)
    block = max(1, _BLOCK_NUMBERS // max(1, queries_ND.shape[1]))
    for start in range(0, len(rows_P), block):
        part = slice(start, start + block)
        queries_PD = queries_ND[rows_P[part]].astype(np.float64)
        items_PD = gallery_MD[columns_P[part]].astype(np.float64)
        scores_P[part] = np.einsum("pd,pd->p", queries_PD, items_PD)
    return scores_P


def quick_error(queries_ND: FloatArray, gallery_MD: FloatArray) -> float:
    """Return a bound on |float32 product - score| that holds in whatever order one sums.

    D u / (1 - D u) times the product of the norms, for the products; and u for the score's own
    rounding. Source: Higham 2002, Accuracy and Stability of Numerical Algorithms, section 3.1.
    """
    dim = queries_ND.shape[1]
    norms: float = _longest(queries_ND) * _longest(gallery_MD)
    # Two more roundings than terms: the score's own, and that of the comparison with the bound.
    steps = (dim + 2) * _FLOAT32_UNIT
    return float(norms * steps / (1 - steps))


def check_embeddings(queries_ND: FloatArray, gallery_MD: FloatArray) -> None:
    """Refuse embeddings that cannot be compared.

    Raises:
        UsageError: shapes do not fit, or a number is not finite.
    """
    if (
        queries_ND.ndim != _MATRIX
        or gallery_MD.ndim != _MATRIX
        or queries_ND.shape[1] != gallery_MD.shape[1]
    ):
        raise UsageError(
            f"queries have the shape {queries_ND.shape}, the gallery {gallery_MD.shape}: expected "
            "(N, D) and (M, D)"
        )
    for name, rows in (("query", queries_ND), ("gallery", gallery_MD)):
        # A row with NaN or infinity has no finite sum of squares.
        bad = np.flatnonzero(~np.isfinite(np.einsum("nd,nd->n", rows, rows)))
        if len(bad):
            raise UsageError(
                f"{name} embedding {bad[0]} is not finite ({len(bad)} such rows); embed it again"
            )


def _longest(rows_ND: FloatArray) -> float:
    if len(rows_ND) == 0:
        return 0.0
    return float(np.sqrt(np.einsum("nd,nd->n", rows_ND, rows_ND, dtype=np.float64).max()))
