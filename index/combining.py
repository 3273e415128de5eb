"""Weighted terms to one query vector, and each term's share of a score.

# T = terms, D = embedding dimension, K = hits
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.errors import QueryError
from core.types import FloatArray
from index.items import TermContribution
from index.query import Term
from index.scoring import row_scores

_SHORTEST = 1e-6


def combine(terms: Sequence[Term], units_TD: FloatArray) -> tuple[FloatArray, float]:
    """Return the unit vector of the weighted sum of unit vectors, and the length of the sum.

    Raises:
        QueryError: the terms cancel each other out.
    """
    weights_T = np.array([term.weight for term in terms], np.float64)
    sum_D = (weights_T[:, np.newaxis] * units_TD.astype(np.float64)).sum(axis=0)
    length = float(np.linalg.norm(sum_D))
    if length < _SHORTEST * float(np.abs(weights_T).sum()):
        raise QueryError(
            "the terms cancel each other out, which points nowhere; change a term or a weight",
            param="query",
        )
    return (sum_D / length).astype(np.float32), length


def contributions(
    terms: Sequence[Term], units_TD: FloatArray, length: float, hits_KD: FloatArray
) -> list[tuple[TermContribution, ...]]:
    """Return, for each hit, what each term added to its score: weight * cosine / length."""
    cosines_TK = [row_scores(unit_D, hits_KD) for unit_D in units_TD]
    return [
        tuple(
            TermContribution(
                term.label,
                term.weight,
                float(cosines_K[place]),
                term.weight * float(cosines_K[place]) / length,
            )
            for term, cosines_K in zip(terms, cosines_TK, strict=True)
        )
        for place in range(len(hits_KD))
    ]
