"""Pairs whose picture and captions do not fit are left out, by a limit or by a share.

# N = pairs
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import PairsError, UsageError
from core.pairs.pair import Pair
from core.types import JSONObject
from training.doctor.kept import JudgedPair
from training.doctor.scores import PairScores

_STEPS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
_MOST_BINS = 12
_DECIMALS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterRule:
    """What stays: exactly one of the two."""

    minimum_score: float | None = None
    """Cosine from which a pair stays."""
    keep_fraction: float | None = None
    """Share of the scored pairs that stay, the best ones, above 0 and at most 1."""

    def __post_init__(self) -> None:
        """Refuse no rule, two rules, and values that mean nothing.

        Raises:
            UsageError: see above.
        """
        if (self.minimum_score is None) == (self.keep_fraction is None):
            raise UsageError("give either --minimum-score or --keep-fraction")
        if self.keep_fraction is not None and not 0 < self.keep_fraction <= 1:
            raise UsageError(f"--keep-fraction {self.keep_fraction:g}: expected above 0, at most 1")
        if self.minimum_score is not None and not -1 <= self.minimum_score <= 1:
            raise UsageError(f"--minimum-score {self.minimum_score:g}: a cosine is in [-1, 1]")


@dataclass(frozen=True, slots=True)
class FilterResult:
    """What stays and what goes, in order of the data."""

    judged: list[JudgedPair]
    limit: float
    """Lowest score that stays."""
    scored: int
    """Pairs with a score."""
    histogram: dict[str, int]
    """Scored pairs by the lower edge of their bin of scores."""

    @property
    def kept(self) -> int:
        """Return how many pairs stay."""
        return sum(1 for one in self.judged if not one.reason)

    def to_json(self, *, model: str, encoder_id: str) -> JSONObject:
        """Return the report as strict JSON."""
        return {
            "schema_version": 1,
            "model": model,
            "encoder_id": encoder_id,
            "pairs": len(self.judged),
            "kept": self.kept,
            "dropped": len(self.judged) - self.kept,
            "unusable": len(self.judged) - self.scored,
            "limit": round(self.limit, _DECIMALS),
            "histogram": dict(self.histogram),
        }


def filter_pairs(pairs: Sequence[Pair], scores: PairScores, rule: FilterRule) -> FilterResult:
    """Judge every pair by its score; equal scores at the limit stay together.

    Raises:
        PairsError: no pair has a score.
    """
    score_G = scores.score_N[~np.isnan(scores.score_N)]
    if not len(score_G):
        first = next(iter(scores.reason_of.values()), "there are no pairs")
        raise PairsError(f"no pair could be scored ({first}); see sightline data check")
    limit = _limit(score_G, rule)
    judged = []
    for row, pair in enumerate(pairs):
        score = float(scores.score_N[row])
        if math.isnan(score):
            judged.append(JudgedPair(pair, scores.reason_of[row]))
            continue
        reason = "" if score >= limit else f"score {score:.4f} is below {limit:.4f}"
        judged.append(JudgedPair(pair, reason, {"score": round(score, _DECIMALS)}))
    return FilterResult(
        judged=judged, limit=limit, scored=len(score_G), histogram=_histogram(score_G)
    )


def _limit(score_G: NDArray[np.float64], rule: FilterRule) -> float:
    if rule.keep_fraction is None:
        assert rule.minimum_score is not None
        return rule.minimum_score
    stay = max(1, round(rule.keep_fraction * len(score_G)))
    return float(np.sort(score_G)[-stay])


def _histogram(score_G: NDArray[np.float64]) -> dict[str, int]:
    """Count scores in at most twelve bins of a round width."""
    low, high = float(score_G.min()), float(score_G.max())
    for step in _STEPS:
        first, last = math.floor(low / step), math.floor(high / step)
        if last - first < _MOST_BINS:
            break
    places = np.floor(score_G / step).astype(np.int64) - first
    counts = np.bincount(np.clip(places, 0, last - first), minlength=last - first + 1)
    return {f"{(first + place) * step:.3f}": int(count) for place, count in enumerate(counts)}
