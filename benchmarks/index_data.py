"""Vectors for the benchmark of the index: clustered images, held-out images, and texts apart.

# N = rows, Q = queries, D = embedding dimension
"""

from __future__ import annotations

import numpy as np

from core.types import FloatArray

DIM = 512
_CLUSTERS = 500
_INNER_DIM = 48
_SPREAD = 0.7
_NOISE = 0.3
_GAP = 0.6
_MIXED = 6


def make_vectors(count: int, queries: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return stored vectors (N, D), image-like queries (Q, D) and text-like ones (Q, D).

    Clusters have power-law sizes and vary in 48 shared directions. A text-like query lies between
    six held-out vectors, moved by one constant gap and noise of its own: the text side of a dual
    encoder lies apart from its image side, and one text fits images of several clusters.
    """
    rng = np.random.default_rng(0)
    centres = units(rng.standard_normal((_CLUSTERS, DIM)))
    weights = 1 / np.arange(1, _CLUSTERS + 1) ** 0.7
    chosen = rng.choice(_CLUSTERS, count + 2 * queries, p=weights / weights.sum())
    shared = units(rng.standard_normal((_INNER_DIM, DIM)))
    vectors_ND = np.empty((len(chosen), DIM), np.float32)
    for start in range(0, len(chosen), 65_536):
        rows = chosen[start : start + 65_536]
        inner = rng.standard_normal((len(rows), _INNER_DIM), np.float32) @ shared
        noise = rng.standard_normal((len(rows), DIM), np.float32) / np.sqrt(DIM)
        moved = centres[rows] + _SPREAD * inner / np.sqrt(_INNER_DIM) + _NOISE * noise
        vectors_ND[start : start + len(rows)] = units(moved)
    gap_D = units(rng.standard_normal((1, DIM)))
    own = units(rng.standard_normal((queries, _INNER_DIM)) @ shared)
    held_out = vectors_ND[count + queries :]
    between = units(sum(np.roll(held_out, turn, axis=0) for turn in range(_MIXED)))
    texts_QD = units(between + _GAP * gap_D + own)
    return vectors_ND[:count], vectors_ND[count : count + queries], texts_QD


def units(vectors_ND: FloatArray) -> FloatArray:
    """Return the vectors scaled to unit length, float32."""
    normed: FloatArray = vectors_ND / np.linalg.norm(vectors_ND, axis=1, keepdims=True)
    return normed.astype(np.float32)
