"""Checks of vectors at the door: finite, of the right dimension, of unit length.

# D = embedding dimension
"""

from __future__ import annotations

import numpy as np

from core.errors import QueryError, StorageError
from core.types import FloatArray

_NORM_TOLERANCE = 1e-3
_UNIT_TOLERANCE = 1e-6


def unit_vector(vector_D: FloatArray, *, dim: int, param: str = "vector") -> FloatArray:
    """Return a query vector scaled to unit length.

    Raises:
        QueryError: another dimension, NaN or infinity, or a length of zero.
    """
    vector64_D = np.asarray(vector_D, np.float64)
    if vector64_D.shape != (dim,):
        raise QueryError(
            f"the vector has shape {vector64_D.shape}, the gallery's embeddings have {dim} "
            "numbers; embed with the gallery's model",
            param=param,
        )
    if not np.isfinite(vector64_D).all():
        raise QueryError("the vector holds NaN or infinity; send finite numbers", param=param)
    norm = float(np.linalg.norm(vector64_D))
    if norm == 0:
        raise QueryError("the vector is zero, which points nowhere", param=param)
    # Scaling what is a unit vector already would only move its last bits.
    scaled_D = vector64_D if abs(norm - 1) < _UNIT_TOLERANCE else vector64_D / norm
    return scaled_D.astype(np.float32)


def checked_vector(vector_D: FloatArray, *, dim: int, id: str) -> FloatArray:
    """Return an item's embedding as float32 of unit length.

    Raises:
        StorageError: another dimension, NaN or infinity, or not of unit length.
    """
    vector_D = np.ascontiguousarray(vector_D, np.float32)
    norm = float(np.linalg.norm(vector_D)) if vector_D.shape == (dim,) else float("nan")
    if not abs(norm - 1) <= _NORM_TOLERANCE:
        raise StorageError(
            f"the embedding of {id!r} has shape {vector_D.shape} and length {norm:.4g}; expected "
            f"{dim} finite numbers of length 1: the model is damaged or wrongly exported"
        )
    return vector_D
