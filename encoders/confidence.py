"""How likely a hit of a search is relevant: score to probability, for each query anew.

A cosine of 0.3 is much for one query and little for another. So a score is also held against the
query's own background: its scores with a stored sample of images that have nothing to do with it.

    logit = score_weight * score + gap_weight * (score - reach) + offset

``reach`` is the score that one background image in a hundred reaches. Both weights are 0 or above,
so of two hits of one query the one with the higher score never has the lower confidence. Weights
and offset are fitted on held-out pairs by ``evaluation.confidence_fit``.

# B = background images, K = hits, D = embedding dimension
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from core.errors import UsageError
from core.types import FloatArray, JSONObject

QueryKind = Literal["text", "image"]
KINDS: tuple[QueryKind, ...] = ("text", "image")

REACH_QUANTILE = 0.99
"""One background image in a hundred: high enough to be what a hit competes with. On the example
gallery .99 ranked hits of different queries better than the mean, .9 and .95 (docs/confidence.md).
"""

_LARGEST_LOGIT = 500.0


@dataclass(frozen=True, slots=True)
class ConfidenceLine:
    """The fitted line of one kind of query."""

    score_weight: float
    gap_weight: float
    offset: float

    def __post_init__(self) -> None:
        """Refuse a line along which a higher score could mean less.

        Raises:
            UsageError: a number that is not finite, a weight below 0, or no weight above 0.
        """
        weights = (self.score_weight, self.gap_weight)
        if not all(math.isfinite(value) for value in (*weights, self.offset)):
            raise UsageError(f"{self}: expected finite numbers; calibrate the model again")
        if min(weights) < 0.0 or max(weights) == 0.0:
            raise UsageError(
                f"{self}: expected weights of 0 or above, one of them above; calibrate the model "
                "again"
            )


@dataclass(frozen=True, slots=True)
class Calibration:
    """What a model folder knows of relevance."""

    encoder_id: str
    """Of the encoder that it was fitted for."""
    background_BD: FloatArray = field(repr=False)
    """Unit vectors of images that stand for "anything"."""
    lines: Mapping[QueryKind, ConfidenceLine]
    """By kind of query; a kind without a line has no confidence."""
    about: JSONObject = field(default_factory=dict)
    """What it was fitted on and how well, for people."""

    def __post_init__(self) -> None:
        """Refuse a calibration that rates nothing.

        Raises:
            UsageError: no line, an unknown kind, or a background that is no list of vectors.
        """
        if not self.lines or not set(self.lines) <= set(KINDS):
            raise UsageError(f"lines for {sorted(self.lines)}: expected some of {', '.join(KINDS)}")
        shape = self.background_BD.shape
        if len(shape) != 2 or 0 in shape or not np.isfinite(self.background_BD).all():  # noqa: PLR2004 - rows and columns
            raise UsageError(f"a background of shape {shape}: expected finite vectors (B, D)")

    def confidence(
        self, kind: QueryKind, query_D: FloatArray, scores_K: FloatArray
    ) -> NDArray[np.float64] | None:
        """Return the probability of relevance of each hit; ``None`` where the kind has no line.

        Args:
            kind: of the one term of the query.
            query_D: unit vector.
            scores_K: cosines of the hits with it.
        """
        line = self.lines.get(kind)
        if line is None:
            return None
        return confidence_of(
            line, scores_K, reach=float(reaches(query_D[None], self.background_BD)[0])
        )


def reaches(queries_ND: FloatArray, background_BD: FloatArray) -> NDArray[np.float64]:
    """Return, for each query, the score that one background image in a hundred reaches."""
    scores_NB = queries_ND @ background_BD.T
    # np.quantile takes ten times as long for the one query of a search.
    place = REACH_QUANTILE * (scores_NB.shape[1] - 1)
    below, above = math.floor(place), math.ceil(place)
    parted_NB = np.partition(scores_NB, (below, above), axis=1).astype(np.float64)
    reaches_N: NDArray[np.float64] = parted_NB[:, above] - (above - place) * (
        parted_NB[:, above] - parted_NB[:, below]
    )
    return reaches_N


def confidence_of(
    line: ConfidenceLine, scores_K: FloatArray, *, reach: float | NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the probability of each score; ``reach`` is one of the query, or one of each score."""
    scores = np.asarray(scores_K, np.float64)
    logits_K = line.score_weight * scores + line.gap_weight * (scores - reach) + line.offset
    bounded_K = np.clip(logits_K, -_LARGEST_LOGIT, _LARGEST_LOGIT)
    probabilities_K: NDArray[np.float64] = 1.0 / (1.0 + np.exp(-bounded_K))
    return probabilities_K
