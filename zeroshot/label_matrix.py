"""Labels to vectors: every prompt embedded, and the prompts of a label brought together.

# C = labels, P = prompts, D = embedding dimension
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from core.errors import EncoderError
from core.types import FloatArray, IdArray
from encoders.encoder import Encoder
from zeroshot.labels import Label
from zeroshot.templates import TemplateSet

_PROMPTS_PER_CALL = 512
_DoubleArray = NDArray[np.float64]


def label_matrix(encoder: Encoder, labels: Sequence[Label], templates: TemplateSet) -> FloatArray:
    """Return the unit vectors (C, D) of labels: normalise, mean over prompts, renormalise.

    Raises:
        EncoderError: the model fails, or the prompts of a label cancel out.
    """
    means_CD = label_means(encoder, labels, templates).astype(np.float64)
    directions_CD = unit_rows(means_CD)
    _refuse_broken(directions_CD, labels)
    return directions_CD.astype(np.float32)


def label_means(encoder: Encoder, labels: Sequence[Label], templates: TemplateSet) -> FloatArray:
    """Return the means (C, D) of the unit prompt embeddings, which are shorter than 1.

    The product with an image is the mean of the cosines of the prompts: averaging logits is this,
    averaging embeddings is :func:`label_matrix`.

    Raises:
        EncoderError: the model fails.
    """
    parts = [np.empty((0, encoder.dim), np.float64)]
    for prompts_PD, starts_C in _embedded(encoder, labels, templates):
        counts_C1 = np.diff([*starts_C.tolist(), len(prompts_PD)])[:, None]
        parts.append(np.add.reduceat(prompts_PD, starts_C, axis=0) / counts_C1)
    return np.concatenate(parts).astype(np.float32)


def label_prompts(
    encoder: Encoder, labels: Sequence[Label], templates: TemplateSet
) -> tuple[FloatArray, IdArray]:
    """Return all unit prompt embeddings (P, D), and where those of each label start (C,).

    Raises:
        EncoderError: the model fails, or a prompt has no direction.
    """
    parts, starts, rows = [np.empty((0, encoder.dim), np.float64)], [], 0
    for prompts_PD, starts_C in _embedded(encoder, labels, templates):
        parts.append(prompts_PD)
        starts.append(starts_C + rows)
        rows += len(prompts_PD)
    _refuse_broken(np.add.reduceat(np.concatenate(parts), np.concatenate(starts), axis=0), labels)
    return np.concatenate(parts).astype(np.float32), np.concatenate(starts)


def unit_rows(vectors_ND: _DoubleArray) -> _DoubleArray:
    """Return the rows scaled to length 1; a zero row becomes NaN, which the caller reports."""
    norms_N1 = np.linalg.norm(vectors_ND, axis=1, keepdims=True)
    units_ND = np.full_like(vectors_ND, np.nan)
    np.divide(vectors_ND, norms_N1, out=units_ND, where=norms_N1 > 0.0)
    return units_ND


def _embedded(
    encoder: Encoder, labels: Sequence[Label], templates: TemplateSet
) -> Iterator[tuple[_DoubleArray, IdArray]]:
    """Yield the unit prompt embeddings of some labels at a time, and where each label starts."""
    texts: list[str] = []
    starts: list[int] = []
    for label in labels:
        prompts = label.prompts_in(templates)
        if texts and len(texts) + len(prompts) > _PROMPTS_PER_CALL:
            yield unit_rows(encoder.encode_texts(texts).astype(np.float64)), np.array(starts)
            texts, starts = [], []
        starts.append(len(texts))
        texts += prompts
    if texts:
        yield unit_rows(encoder.encode_texts(texts).astype(np.float64)), np.array(starts)


def _refuse_broken(vectors_CD: _DoubleArray, labels: Sequence[Label]) -> None:
    broken_C = ~np.isfinite(vectors_CD).all(axis=1)
    if broken_C.any():
        raise EncoderError(
            f"the model gives no direction for {labels[int(np.argmax(broken_C))].text!r}: its "
            "prompts cancel out or are not finite; use other templates, or verify the model"
        )
