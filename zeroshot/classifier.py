"""The zero-shot classifier: labels become unit vectors, images are compared with them.

    m_c = mean over prompts t of e_ct / |e_ct|       W_c = m_c / |m_c|
    z_c = logit_scale * (x . W_c) + logit_bias

with e_ct the text embedding of label c in prompt t and x the unit image embedding; logit_scale
and logit_bias are the ones that the model learned.
Source: Radford et al. 2021, arXiv:2103.00020, section 3.1.4, and their ImageNet notebook, which
normalise before and after the mean.

# N = images, C = labels, B = background words, P = prompts, D = embedding dimension
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from core.errors import UsageError
from core.types import FloatArray, IdArray
from encoders.encoder import Encoder
from zeroshot.heads import Head, TextHead
from zeroshot.label_matrix import label_matrix, label_means, label_prompts
from zeroshot.labels import Label, check_label_list
from zeroshot.platt import Platt
from zeroshot.prompts import prompt_warnings
from zeroshot.scores import Scores, energies, log_mean_exp, sigmoid, softmax
from zeroshot.templates import TemplateSet

Mode = Literal["single", "multi"]
Ensemble = Literal["embedding", "logit", "max"]
ENSEMBLES: tuple[Ensemble, ...] = ("embedding", "logit", "max")

BACKGROUND_LABELS = (
    "object",
    "animal",
    "plant",
    "person",
    "building",
    "food",
    "vehicle",
    "landscape",
)
"""What pictures in general show: the other side of the contrast in mode ``multi``. Chosen on the
example gallery, see docs/zero-shot.md."""

_DoubleArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Classifier:
    """Labels compiled with an encoder; immutable, so any thread may use it."""

    labels: tuple[str, ...]
    matrix_CD: FloatArray
    """Vector of each label: of length 1, or the mean of its unit prompts for ``logit``."""
    background_BD: FloatArray
    """Unit vectors of ``BACKGROUND_LABELS`` in the same templates; (0, D) for a sigmoid-trained
    model, which needs none."""
    logit_scale: float
    logit_bias: float
    encoder_id: str
    template_digest: str
    ensemble: Ensemble = "embedding"
    """``embedding``: the cosine with the mean direction of the prompts; ``logit``: the mean of the
    prompts' cosines; ``max``: the best of them."""
    prompts_PD: FloatArray | None = None
    """Unit vector of each prompt, label by label; for ``max`` alone."""
    starts_C: IdArray | None = None
    """Row of each label's first prompt; for ``max`` alone."""
    background: frozenset[int] = frozenset()
    """Columns of the labels that stand for "none of these"."""
    warnings: tuple[str, ...] = ()
    """Prompts that the model cannot read to their end."""
    head: Head = dataclasses.field(default_factory=TextHead)
    """What the examples of the labels made of it."""

    def classify(
        self,
        images_ND: FloatArray,
        *,
        mode: Mode = "single",
        temperature: float | None = None,
        platt: Platt | None = None,
    ) -> Scores:
        """Return the scores of unit image embeddings.

        ``single`` is the softmax over the labels. ``multi`` gives each label a probability of its
        own: the fitted lines of ``platt``, else sigmoid(z) for a sigmoid-trained model (one with a
        learned bias). A softmax-trained model has learned no zero, so there it is the contrast
        exp(z) / (exp(z) + mean over b of exp(z_b)) with the background words b: one half means
        that the label fits the image as well as a word for pictures in general.

        Args:
            images_ND: from the encoder of this classifier.
            mode: whether one label fits, or any number.
            temperature: divides the logits; above 1 makes the scores less sure. Default 1.
            platt: fitted on labelled images; for mode ``multi`` alone.

        Raises:
            UsageError: another shape, mode or temperature than can be used.
        """
        if images_ND.ndim != 2 or images_ND.shape[1] != self.matrix_CD.shape[1]:  # noqa: PLR2004 - rows and columns
            raise UsageError(
                f"image embeddings have the shape {images_ND.shape}, expected "
                f"(N, {self.matrix_CD.shape[1]}): use the encoder {self.encoder_id}"
            )
        divisor = _checked_temperature(temperature)
        images_ND64 = images_ND.astype(np.float64)
        cosines_NC = self.head.cosines(images_ND64, self._text_cosines(images_ND64))
        logits_NC = self.head.logits(images_ND64, cosines_NC, self.logit_scale)
        energies_N = energies(logits_NC)
        if mode == "single":
            scores_NC = softmax(logits_NC / divisor)
        elif mode == "multi":
            logits_NC = self._own_logits(images_ND64, cosines_NC) / divisor
            if platt is not None:
                logits_NC = platt.logits(cosines_NC, logits_NC)
            scores_NC = sigmoid(logits_NC)
        else:
            raise UsageError(f"mode = {mode!r}: expected single or multi", param="mode")
        return Scores(
            labels=self.labels,
            scores_NC=scores_NC.astype(np.float32),
            cosines_NC=cosines_NC.astype(np.float32),
            logits_NC=logits_NC,
            energies_N=energies_N,
            background=self.background,
        )

    def _text_cosines(self, images_ND: _DoubleArray) -> _DoubleArray:
        if self.prompts_PD is None or self.starts_C is None:
            cosines_NC: _DoubleArray = images_ND @ self.matrix_CD.astype(np.float64).T
            return cosines_NC
        prompts_NP = images_ND @ self.prompts_PD.astype(np.float64).T
        best_NC: _DoubleArray = np.maximum.reduceat(prompts_NP, self.starts_C, axis=1)
        return best_NC

    def _own_logits(self, images_ND: _DoubleArray, cosines_NC: _DoubleArray) -> _DoubleArray:
        """Return logits whose sigmoid is the probability of each label by itself."""
        if self.logit_bias != 0.0:
            return self.logit_scale * cosines_NC + self.logit_bias
        background_NB = self.logit_scale * (images_ND @ self.background_BD.astype(np.float64).T)
        return self.logit_scale * cosines_NC - log_mean_exp(background_NB)


def build_classifier(
    encoder: Encoder,
    labels: Sequence[str | Label],
    templates: TemplateSet,
    *,
    ensemble: Ensemble = "embedding",
    background_BD: FloatArray | None = None,
) -> Classifier:
    """Embed every label in every template and average into one unit vector per label.

    Args:
        encoder: the model.
        labels: 1 to 1000, no two alike.
        templates: prompts for each label that has none of its own.
        ensemble: how the prompts of a label come together.
        background_BD: of another classifier of the same encoder and templates, to save embedding
            it again.

    Raises:
        LabelSetError: the labels cannot be used.
        UsageError: an unknown ensemble.
        EncoderError: the model fails on the prompts.
    """
    checked = check_label_list(labels)
    if ensemble not in ENSEMBLES:
        raise UsageError(
            f"ensemble = {ensemble!r}: expected {', '.join(ENSEMBLES)}", param="ensemble"
        )
    if background_BD is None:
        words = BACKGROUND_LABELS if encoder.logit_bias == 0.0 else ()
        background_BD = label_matrix(encoder, [Label(word) for word in words], templates)
    matrix_CD, prompts_PD, starts_C = _vectors(encoder, checked, templates, ensemble)
    return Classifier(
        labels=tuple(label.text for label in checked),
        matrix_CD=matrix_CD,
        background_BD=background_BD,
        logit_scale=float(encoder.logit_scale),
        logit_bias=float(encoder.logit_bias),
        encoder_id=encoder.encoder_id,
        template_digest=templates.digest,
        ensemble=ensemble,
        prompts_PD=prompts_PD,
        starts_C=starts_C,
        background=frozenset(place for place, label in enumerate(checked) if label.background),
        warnings=tuple(prompt_warnings(encoder, checked, templates)),
    )


def _vectors(
    encoder: Encoder, labels: Sequence[Label], templates: TemplateSet, ensemble: Ensemble
) -> tuple[FloatArray, FloatArray | None, IdArray | None]:
    if ensemble == "embedding":
        return label_matrix(encoder, labels, templates), None, None
    if ensemble == "logit":
        return label_means(encoder, labels, templates), None, None
    prompts_PD, starts_C = label_prompts(encoder, labels, templates)
    return prompts_PD[starts_C], prompts_PD, starts_C


def _checked_temperature(temperature: float | None) -> float:
    if temperature is None:
        return 1.0
    if not (np.isfinite(temperature) and temperature > 0.0):
        raise UsageError(
            f"temperature = {temperature}: expected a number above 0", param="temperature"
        )
    return float(temperature)
