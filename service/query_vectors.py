"""Vectors that clients send: the right number of numbers, and a direction.

# D = embedding dimension
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.types import FloatArray
from service.engine import Engine
from service.errors import out_of_range


def query_vector(engine: Engine, values: Sequence[float], *, param: str) -> FloatArray:
    """Return ``values`` as a (D,) query vector of any length but zero.

    Raises:
        UsageError: another dimension, zero, or not finite in float32 (422).
    """
    if len(values) != engine.encoder.dim:
        raise out_of_range(
            f"{param} has {len(values)} numbers, the embeddings of {engine.encoder.name} have "
            f"{engine.encoder.dim}; embed with this model",
            param=param,
        )
    with np.errstate(over="ignore"):
        vector_D = np.asarray(values, np.float64).astype(np.float32)
        norm = float(np.linalg.norm(vector_D))
    if not np.isfinite(norm) or norm == 0.0:
        raise out_of_range(f"{param} is zero or not finite; send an embedding", param=param)
    return vector_D
