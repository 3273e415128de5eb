"""Labels to unit vectors: every prompt embedded, averaged per label.

# C = labels, P = prompts, D = embedding dimension
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from core.errors import EncoderError
from core.types import FloatArray
from encoders.encoder import Encoder
from zeroshot.templates import TemplateSet

_PROMPTS_PER_CALL = 512


def label_matrix(encoder: Encoder, labels: Sequence[str], templates: TemplateSet) -> FloatArray:
    """Return the unit vectors (C, D) of labels: normalise, mean over templates, renormalise.

    Raises:
        EncoderError: the model fails, or the prompts of a label cancel out.
    """
    per_call = max(1, _PROMPTS_PER_CALL // len(templates.templates))
    parts = [np.empty((0, encoder.dim), np.float32)]
    for start in range(0, len(labels), per_call):
        some = labels[start : start + per_call]
        prompts = [prompt for label in some for prompt in templates.prompts(label)]
        parts.append(mean_directions(encoder.encode_texts(prompts), labels=some))
    return np.concatenate(parts)


def mean_directions(prompts_PD: FloatArray, *, labels: Sequence[str]) -> FloatArray:
    """Return a unit vector per label (C, D), the mean of the unit embeddings of its prompts.

    Args:
        prompts_PD: the prompts of the first label, then those of the second, equally many each.
        labels: for the message.

    Raises:
        EncoderError: the prompts of a label cancel out or are not finite.
    """
    unit_PD = _unit_rows(prompts_PD.astype(np.float64))
    means_CD = unit_PD.reshape(len(labels), -1, unit_PD.shape[1]).mean(axis=1)
    directions_CD = _unit_rows(means_CD)
    broken_C = ~np.isfinite(directions_CD).all(axis=1)
    if broken_C.any():
        raise EncoderError(
            f"the model gives no direction for {labels[int(np.argmax(broken_C))]!r}: its prompts "
            "cancel out or are not finite; use other templates, or verify the model"
        )
    return directions_CD.astype(np.float32)


def _unit_rows(vectors_ND: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rows scaled to length 1; a zero row becomes NaN, which the caller reports."""
    norms_N1 = np.linalg.norm(vectors_ND, axis=1, keepdims=True)
    units_ND = np.full_like(vectors_ND, np.nan)
    np.divide(vectors_ND, norms_N1, out=units_ND, where=norms_N1 > 0.0)
    return units_ND
