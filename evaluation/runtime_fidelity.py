"""May a quicker precision stand in for float32? Its embeddings are compared on the user's pairs.

# M = pictures, C = captions, H = pictures not used for calibration, D = embedding dimension
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.types import FloatArray
from encoders.runtime_table import Fidelity
from encoders.tower_plan import Precision
from evaluation.exact_search import exact_ranks

MOST_HITS_LOST = 0.003
"""Share of captions whose picture may leave the first ten, net: 0.3 points."""
_K = 10


@dataclass(frozen=True, slots=True)
class Gate:
    """What a precision has to keep."""

    image_cosine_mean: float
    image_cosine_min: float
    text_cosine_mean: float = 0.999
    text_cosine_min: float = 0.99
    hits_lost: float = MOST_HITS_LOST


GATES: dict[Precision, Gate] = {
    "bfloat16": Gate(image_cosine_mean=0.999, image_cosine_min=0.99),
    # int8 is judged by what is found; the cosines keep out what is right by chance.
    "int8": Gate(image_cosine_mean=0.99, image_cosine_min=0.95),
}


@dataclass(frozen=True, slots=True)
class Embedded:
    """The pairs as one precision embeds them."""

    images_MD: FloatArray
    captions_CD: FloatArray


def compare_precisions(
    found: Embedded,
    exact: Embedded,
    *,
    picture_of_C: Sequence[int],
    held_out_H: Sequence[int],
) -> Fidelity:
    """Return how far the embeddings of a precision are from those of float32.

    Args:
        found: of the precision.
        exact: of float32.
        picture_of_C: row of the picture that each caption belongs to.
        held_out_H: rows of the pictures that a quantised tower was not calibrated on.
    """
    image_cosines_H = (found.images_MD * exact.images_MD).sum(axis=1)[list(held_out_H)]
    text_cosines_C = (found.captions_CD * exact.captions_CD).sum(axis=1)
    # A gallery that was begun in float32 and goes on in the quicker precision.
    mixed_MD = exact.images_MD.copy()
    mixed_MD[1::2] = found.images_MD[1::2]

    def hit_rate(captions_CD: FloatArray, images_MD: FloatArray) -> float:
        return hit_rate_at_10(captions_CD, images_MD, picture_of_C=picture_of_C)

    return Fidelity(
        image_cosine_mean=float(image_cosines_H.mean()),
        image_cosine_min=float(image_cosines_H.min()),
        text_cosine_mean=float(text_cosines_C.mean()),
        text_cosine_min=float(text_cosines_C.min()),
        hit_at_10=hit_rate(found.captions_CD, found.images_MD),
        hit_at_10_mixed=hit_rate(found.captions_CD, mixed_MD),
        hit_at_10_float32=hit_rate(exact.captions_CD, exact.images_MD),
        pictures=len(exact.images_MD),
        captions=len(picture_of_C),
    )


def hit_rate_at_10(
    captions_CD: FloatArray, images_MD: FloatArray, *, picture_of_C: Sequence[int]
) -> float:
    """Return the share of captions whose own picture is among the ten best."""
    names = [f"{row:09d}" for row in range(len(images_MD))]
    ranking = exact_ranks(captions_CD, images_MD, names, [[row] for row in picture_of_C], top=_K)
    own_C1 = np.asarray(picture_of_C)[:, None]
    return float((ranking.top_NK == own_C1).any(axis=1).mean())


def why_not(fidelity: Fidelity, gate: Gate) -> str:
    """Return in words what a precision does not keep; empty where it passes the gate."""
    reasons = [
        f"{name.replace('_', ' ')} {value:.5f} is below {limit:g}"
        for name, value, limit in (
            ("image_cosine_mean", fidelity.image_cosine_mean, gate.image_cosine_mean),
            ("image_cosine_min", fidelity.image_cosine_min, gate.image_cosine_min),
            ("text_cosine_mean", fidelity.text_cosine_mean, gate.text_cosine_mean),
            ("text_cosine_min", fidelity.text_cosine_min, gate.text_cosine_min),
        )
        if not value >= limit
    ]
    for name, rate in (
        ("hit@10", fidelity.hit_at_10),
        ("hit@10 in a mixed gallery", fidelity.hit_at_10_mixed),
    ):
        lost = fidelity.hit_at_10_float32 - rate
        # Rates are shares of whole captions: the last digits of the difference are rounding.
        if not lost <= gate.hits_lost + 1e-9:
            reasons.append(
                f"{name} falls by {100 * lost:.2f} points, the limit is {100 * gate.hits_lost:g}"
            )
    return "; ".join(reasons)
