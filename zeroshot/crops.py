"""One embedding from several views of a picture.

# N = images, V = views of each, D = embedding dimension
"""

from __future__ import annotations

import numpy as np

from core.errors import UsageError
from core.types import FloatArray
from zeroshot.label_matrix import unit_rows


def mean_of_views(views_XD: FloatArray, *, crops: int) -> FloatArray:
    """Return (N, D): the embeddings of each picture's views normalised, averaged, normalised.

    Args:
        views_XD: (N V, D), the views of one picture after the other.
        crops: V.

    Raises:
        UsageError: the rows are no multiple of the views, or views cancel each other out.
    """
    if crops < 1 or len(views_XD) % crops:
        raise UsageError(f"{len(views_XD)} embeddings are not {crops} views of each picture")
    if crops == 1:
        return views_XD
    units_XD = unit_rows(views_XD.astype(np.float64))
    means_ND = unit_rows(units_XD.reshape(-1, crops, views_XD.shape[1]).mean(axis=1))
    if not np.isfinite(means_ND).all():
        raise UsageError("the views of a picture cancel each other out; use crops 1")
    return means_ND.astype(np.float32)
