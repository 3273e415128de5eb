"""How well a number tells known images from unknown ones; a higher number means known.

# N = known images, M = unknown images
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.errors import UsageError


def auroc(known_N: ArrayLike, unknown_M: ArrayLike) -> float:
    """Return the chance that a known image has the higher number; ties count one half.

    Source: Hanley and McNeil 1982, Radiology 143; equal to the Mann-Whitney statistic.

    Raises:
        UsageError: one of the two is empty.
    """
    known, unknown = _checked(known_N, unknown_M)
    ordered_M = np.sort(unknown)
    below_N = np.searchsorted(ordered_M, known, side="left")
    not_above_N = np.searchsorted(ordered_M, known, side="right")
    return float((below_N + not_above_N).sum() / (2.0 * len(known) * len(unknown)))


def threshold_keeping(known_N: ArrayLike, *, share: float) -> float:
    """Return the highest threshold that at least ``share`` (0 to 1) of the known images reach.

    Raises:
        UsageError: no images, or a share out of range.
    """
    known = np.sort(np.asarray(known_N, np.float64))[::-1]
    if len(known) == 0 or not 0.0 < share <= 1.0:
        raise UsageError(f"{len(known)} images, share {share}: expected images and 0 < share <= 1")
    kept = int(np.ceil(share * len(known) - 1e-9))
    return float(known[kept - 1])


def false_positive_rate(
    known_N: ArrayLike, unknown_M: ArrayLike, *, true_positive_rate: float = 0.95
) -> float:
    """Return the share of unknown images that pass where that share of the known ones does.

    Raises:
        UsageError: one of the two is empty.
    """
    known, unknown = _checked(known_N, unknown_M)
    threshold = threshold_keeping(known, share=true_positive_rate)
    return float(np.count_nonzero(unknown >= threshold) / len(unknown))


def _checked(
    known_N: ArrayLike, unknown_M: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    known, unknown = np.asarray(known_N, np.float64), np.asarray(unknown_M, np.float64)
    if len(known) == 0 or len(unknown) == 0:
        raise UsageError(
            f"{len(known)} known and {len(unknown)} unknown images: give at least one of both"
        )
    return known, unknown
