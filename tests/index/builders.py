"""Small worlds for the tests of this room."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from core.types import FloatArray, JSONObject
from index.collection import Collection
from index.items import NewItem

ENCODER_ID = "fa4e000000000001"
DIM = 4


def open_collection(folder: Path, *, dim: int = DIM, read_only: bool = False) -> Collection:
    """Open a collection of the fake encoder."""
    return Collection.open(folder, encoder_id=ENCODER_ID, dim=dim, read_only=read_only)


def unit(*values: float) -> FloatArray:
    """Return a unit vector in the direction of the values."""
    vector_D = np.array(values, np.float32)
    return (vector_D / np.linalg.norm(vector_D)).astype(np.float32)


def new_item(
    id: str,
    vector_D: FloatArray | None = None,
    *,
    caption: str = "",
    metadata: JSONObject | None = None,
    digest: str | None = None,
) -> NewItem:
    """Return an item; without a vector it points along the first axis."""
    return NewItem(
        id=id,
        vector_D=unit(1, 0, 0, 0) if vector_D is None else vector_D,
        digest=digest or f"digest of {id}",
        caption=caption,
        metadata=metadata or {},
    )


def random_units(count: int, dim: int, seed: int = 0) -> FloatArray:
    """Return unit vectors in random directions, shape (count, dim)."""
    vectors_ND = np.random.default_rng(seed).standard_normal((count, dim)).astype(np.float32)
    return vectors_ND / np.linalg.norm(vectors_ND, axis=1, keepdims=True)
