"""Array types shared by every package.

Shape suffixes used across the project (each file that uses more says so at its top):
    N = items of a batch, D = embedding dimension, H = height, W = width, C = classes.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
"""Embeddings, scores, logits: always float32."""

PixelArray = NDArray[np.uint8]
"""RGB pixels, shape (H, W, 3) or (N, H, W, 3)."""

IdArray = NDArray[np.int64]
"""Row ids and ranks."""

JSONValue: TypeAlias = "bool | int | float | str | list[JSONValue] | dict[str, JSONValue] | None"
"""What strict JSON can hold."""

JSONObject: TypeAlias = dict[str, JSONValue]
"""A JSON object: metadata of an item, a manifest, a report."""
