"""From held-out pairs to the calibration of a model: its background, its queries, its lines.

# N = pictures, Q = queries, B = background images, D = embedding dimension
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import EncoderMismatchError, UsageError
from core.pairs.pair import Pair
from core.types import FloatArray, IdArray, JSONObject
from encoders.confidence import KINDS, Calibration, ConfidenceLine, QueryKind
from evaluation.caption_judgement import NOT_JUDGED, RELEVANT, CaptionJudge
from evaluation.confidence_fit import (
    Examples,
    LineFit,
    fit_confidence,
    gather_examples,
)
from evaluation.embeddings import Embeddings

BACKGROUND_IMAGES = 256
"""Enough for a quantile of .99, small enough to cost microseconds and 2 bytes x 256 x D on disk."""
MOST_QUERIES = 4000
MOST_PICTURES = 10_000
"""Evenly spread ones are taken where there are more: two numbers and an offset need no millions."""

_SET_ASIDE = 4


@dataclass(frozen=True, slots=True)
class CalibrationFit:
    """A calibration and how each of its lines was fitted."""

    calibration: Calibration
    fits: dict[QueryKind, LineFit]
    left_out: dict[QueryKind, str]
    """Kinds without a line, and why."""


def calibrate(
    pairs: Embeddings,
    *,
    background: Embeddings | None = None,
    kinds: Sequence[QueryKind] = KINDS,
) -> CalibrationFit:
    """Fit what a model's scores mean on pairs that it was not trained on.

    Args:
        pairs: embedded by the model.
        background: images that stand for "anything"; without it every fourth picture of the pairs
            is set aside, up to 256.
        kinds: queries to calibrate for.

    Raises:
        EncoderMismatchError: the background was embedded by another model, or nobody knows by which
            the pairs were.
        UsageError: no kind of query has enough held-out pairs.
    """
    encoder_id = pairs.provenance.encoder_id
    if encoder_id is None:
        raise EncoderMismatchError(
            "the pairs do not say which model embedded them; embed them again"
        )
    if background is not None and background.provenance.encoder_id != encoder_id:
        raise EncoderMismatchError(
            f"the background was embedded by {background.provenance.encoder_id}, the pairs by "
            f"{encoder_id}; embed both with one model"
        )
    background_BD, kept_N = _background(pairs, background)
    fits: dict[QueryKind, LineFit] = {}
    left_out: dict[QueryKind, str] = {}
    for kind in kinds:
        gather = _text_examples if kind == "text" else _image_examples
        try:
            fits[kind] = fit_confidence(gather(pairs, kept_N, background_BD))
        except UsageError as error:
            left_out[kind] = str(error)
    if not fits:
        raise UsageError("; ".join(f"{kind} queries: {why}" for kind, why in left_out.items()))
    lines: dict[QueryKind, ConfidenceLine] = {kind: fit.line for kind, fit in fits.items()}
    calibration = Calibration(
        encoder_id=encoder_id,
        background_BD=background_BD,
        lines=lines,
        about=_about(pairs, fits, pictures=len(kept_N), background=len(background_BD)),
    )
    return CalibrationFit(calibration, fits, left_out)


def _background(pairs: Embeddings, background: Embeddings | None) -> tuple[FloatArray, IdArray]:
    """Return the background, and the rows of the pictures that are left for the fit."""
    images_GD = pairs.images.embeddings_GD
    rows = np.arange(len(images_GD))
    if background is not None:
        other_GD = background.images.embeddings_GD
        if not len(other_GD):
            raise UsageError("the background has no image that can be read; give others")
        return other_GD[_spread(len(other_GD), BACKGROUND_IMAGES)], _fewer(rows)
    aside = rows[::_SET_ASIDE]
    aside = aside[_spread(len(aside), BACKGROUND_IMAGES)]
    return images_GD[aside], _fewer(np.setdiff1d(rows, aside))


def _text_examples(pairs: Embeddings, kept_N: IdArray, background_BD: FloatArray) -> Examples:
    """Ask with every caption, once."""
    described_N = _pairs_of(pairs, kept_N)
    judge = CaptionJudge([_texts_of(pair) for pair in described_N])
    own = {text for pair in described_N for text in pair.captions}
    rows: dict[str, int] = {}
    for row, (_, text) in enumerate(pairs.captions):
        if text in own:
            rows.setdefault(text, row)
    texts = [list(rows)[place] for place in _spread(len(rows), MOST_QUERIES)]
    return gather_examples(
        pairs.captions_CD[[rows[text] for text in texts]],
        pairs.images.embeddings_GD[kept_N],
        lambda query: judge.judge(texts[query]),
        background_BD=background_BD,
    )


def _image_examples(pairs: Embeddings, kept_N: IdArray, background_BD: FloatArray) -> Examples:
    """Ask with every picture that has another one of its label, or of its caption without labels.

    Pictures that share a word with it are not judged.
    """
    described_N = _pairs_of(pairs, kept_N)
    judge = CaptionJudge([_texts_of(pair) for pair in described_N])
    subjects = [_subject(pair) for pair in described_N]
    names = {subject: number for number, subject in enumerate(dict.fromkeys(subjects))}
    subjects_N = np.array([names[subject] for subject in subjects], np.int64)
    counts = np.bincount(subjects_N, minlength=len(names))
    asking = np.flatnonzero(counts[subjects_N] > 1)
    asking = asking[_spread(len(asking), MOST_QUERIES)]

    def judgements(query: int) -> NDArray[np.int8]:
        row = asking[query]
        judged_N = np.where(judge.shares_a_word(_texts_of(described_N[row])), NOT_JUDGED, 0)
        judged_N[subjects_N == subjects_N[row]] = RELEVANT
        judged_N[row] = NOT_JUDGED
        return judged_N.astype(np.int8)

    images_ND = pairs.images.embeddings_GD[kept_N]
    return gather_examples(images_ND[asking], images_ND, judgements, background_BD=background_BD)


def _about(
    pairs: Embeddings, fits: dict[QueryKind, LineFit], *, pictures: int, background: int
) -> JSONObject:
    return {
        "data_digest": pairs.provenance.data_digest,
        "pictures": pictures,
        "background_images": background,
        "kinds": {
            kind: {
                "queries": fit.queries,
                "hits": fit.hits,
                "relevant": fit.relevant,
                "expected_calibration_error": round(fit.expected_error, 6),
            }
            for kind, fit in fits.items()
        },
    }


def _pairs_of(pairs: Embeddings, kept_N: IdArray) -> list[Pair]:
    return [pairs.pairs[pairs.images.places_G[row]] for row in kept_N.tolist()]


def _texts_of(pair: Pair) -> tuple[str, ...]:
    return pair.captions if pair.label is None else (*pair.captions, pair.label)


def _subject(pair: Pair) -> str:
    """Return what makes two pictures alike: the label, else the first caption."""
    text = pair.label or (pair.captions[0] if pair.captions else pair.id)
    return " ".join(text.casefold().split())


def _fewer(rows: IdArray) -> IdArray:
    return rows[_spread(len(rows), MOST_PICTURES)]


def _spread(count: int, most: int) -> IdArray:
    """Return at most ``most`` places of ``count``, evenly spread, each once."""
    if count <= most:
        return np.arange(count, dtype=np.int64)
    return np.linspace(0, count - 1, most).round().astype(np.int64)
