"""When to give no label: thresholds that the best label must reach.

# C = labels
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from core.errors import UsageError
from zeroshot.scores import Scores

_TWO_BEST = 2


@dataclass(frozen=True, slots=True)
class Abstain:
    """Thresholds; one that is ``None`` is not applied. A value equal to its threshold passes."""

    min_score: float | None = None
    """Least score of the best label, 0 to 1."""
    min_margin: float | None = None
    """Least distance between the two best scores, 0 to 1; the score itself for a single label."""
    min_cosine: float | None = None
    """Least cosine of the best label, -1 to 1. Its usual height depends on the model."""

    def __post_init__(self) -> None:
        """Refuse thresholds that no score can have.

        Raises:
            UsageError: one is out of range.
        """
        for name, least in (("min_score", 0.0), ("min_margin", 0.0), ("min_cosine", -1.0)):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and least <= value <= 1.0):
                raise UsageError(f"{name} = {value}: expected {least:g} to 1", param=name)

    def reason(self, scores: Scores, image: int) -> str | None:
        """Return the name of the first rule that the best label of an image fails, or ``None``.

        They are tried in the order ``min_cosine``, ``min_score``, ``min_margin``: from "none of
        these words fits" to "it could be either of two".
        """
        best, *others = scores.top(image, _TWO_BEST)
        margin = best.score - (others[0].score if others else 0.0)
        rules = (
            ("min_cosine", self.min_cosine, best.cosine),
            ("min_score", self.min_score, best.score),
            ("min_margin", self.min_margin, margin),
        )
        return next((n for n, least, found in rules if least is not None and found < least), None)
