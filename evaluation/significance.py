"""Whether a difference is more than chance: sign flips, McNemar's exact test, Holm's correction.

# N = rows (queries or images), G = clusters, M = metrics, B = resamples
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from core.errors import UsageError
from core.measures.resampling import Clusters, sign_flipped_sums

_ROUNDING = 1e-12
"""Sums this near, relative to the sum of all differences, are equal but for rounding."""


def sign_flip_p_values(
    differences_NM: NDArray[np.float64], clusters: Clusters, *, resamples: int, seed: int
) -> NDArray[np.float64]:
    """Return for each column how likely so large a mean difference is if the systems are alike.

    Two-sided. (b + 1) / (B + 1) with b the random sign flips that give as large a sum or larger,
    so never 0. NaN is a row without a value in one of the two.

    Source: Phipson, Smyth 2010, Permutation p-values should never be zero (the + 1); Smucker,
    Allan, Carterette 2007, A comparison of statistical significance tests for IR.
    """
    differences_NM = np.nan_to_num(differences_NM)
    observed_M = np.abs(differences_NM.sum(axis=0))
    slack_M = _ROUNDING * np.abs(differences_NM).sum(axis=0)
    flipped_BM = sign_flipped_sums(differences_NM, clusters, resamples=resamples, seed=seed)
    as_large_M = np.count_nonzero(np.abs(flipped_BM) >= observed_M - slack_M, axis=0)
    p_M: NDArray[np.float64] = (as_large_M + 1.0) / (resamples + 1)
    return p_M


def mcnemar_exact(wins: int, losses: int) -> float:
    """Return the two-sided p of so uneven a split of the rows on which two systems differ.

    For values of 0 and 1 of independent rows; rows on which both agree say nothing.
    Source: McNemar 1947, Psychometrika 12(2), with the exact binomial distribution.

    Raises:
        UsageError: a negative count.
    """
    if min(wins, losses) < 0:
        raise UsageError(f"{wins} wins and {losses} losses: expected counts")
    count, fewer = wins + losses, min(wins, losses)
    if wins == losses:
        return 1.0
    # The logarithms of C(count, i), for counts whose powers of two no float can hold.
    places = np.arange(1, fewer + 1)
    logs = np.concatenate([[0.0], np.cumsum(np.log((count - places + 1) / places))])
    tail = np.exp(logs - logs[-1]).sum()
    return float(min(1.0, np.exp(np.log(2 * tail) + logs[-1] - count * np.log(2.0))))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the p values corrected for how many there are: reject where they are below alpha.

    Keeps the chance of any false alarm among all of them below alpha, whatever depends on what.
    Source: Holm 1979, Scandinavian Journal of Statistics 6(2).
    """
    corrected = [1.0] * len(p_values)
    largest = 0.0
    for place, item in enumerate(sorted(range(len(p_values)), key=lambda item: p_values[item])):
        largest = max(largest, min(1.0, p_values[item] * (len(p_values) - place)))
        corrected[item] = largest
    return corrected
