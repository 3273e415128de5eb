"""When to give no label: rules that the best label must pass.

# C = labels
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from core.errors import UsageError
from zeroshot.scores import LabelScore, Scores

_TWO_BEST = 2
_RANGES = (
    ("min_score", 0.0, 1.0),
    ("min_margin", 0.0, 1.0),
    ("min_cosine", -1.0, 1.0),
    ("max_energy", -math.inf, math.inf),
)


@dataclass(frozen=True, slots=True)
class Abstain:
    """Thresholds; one that is ``None`` is not applied. A value equal to its threshold passes.

    A background label that wins always means that no label is given.
    """

    min_score: float | None = None
    """Least score of the best label, 0 to 1."""
    min_margin: float | None = None
    """Least distance between the two best scores, 0 to 1; the score itself for a single label."""
    min_cosine: float | None = None
    """Least cosine of the best label, -1 to 1. Its usual height depends on the model."""
    max_energy: float | None = None
    """Highest energy of the image, ``Scores.energies_N``. Its usual height depends on the model
    and on the number of labels."""
    label_scores: Mapping[str, float | None] = field(default_factory=lambda: MappingProxyType({}))
    """Least score of single labels, for example where they reach a wanted precision; a label with
    ``None`` is never given, for it reaches it nowhere."""

    def __post_init__(self) -> None:
        """Refuse thresholds that no score can have.

        Raises:
            UsageError: one is out of range.
        """
        given = [(name, getattr(self, name), least, most) for name, least, most in _RANGES]
        given += [(f"label_scores[{k!r}]", v, 0.0, 1.0) for k, v in self.label_scores.items()]
        for name, value, least, most in given:
            if value is not None and not (math.isfinite(value) and least <= value <= most):
                raise UsageError(f"{name} = {value}: expected {least:g} to {most:g}", param=name)

    def reason(self, scores: Scores, image: int) -> str | None:
        """Return the name of the first rule that the best label of an image fails, or ``None``.

        They are tried in the order ``background``, ``min_cosine``, ``max_energy``, ``min_score``,
        ``label_score``, ``min_margin``: from "none of these words fits" to "it could be either of
        two".
        """
        best, *others = scores.top(image, _TWO_BEST)
        margin = best.score - (others[0].score if others else 0.0)
        failed = (
            ("background", best.background),
            ("min_cosine", _below(best.cosine, self.min_cosine)),
            ("max_energy", _below(-float(scores.energies_N[image]), _negated(self.max_energy))),
            ("min_score", _below(best.score, self.min_score)),
            ("label_score", _below(best.score, self._of_label(best))),
            ("min_margin", _below(margin, self.min_margin)),
        )
        return next((name for name, fails in failed if fails), None)

    def _of_label(self, best: LabelScore) -> float:
        least = self.label_scores.get(best.label, 0.0)
        return math.inf if least is None else least


def _below(value: float, least: float | None) -> bool:
    return least is not None and value < least


def _negated(value: float | None) -> float | None:
    return None if value is None else -value
