"""Few-shot heads: what a classifier becomes when it has seen examples. Pure NumPy when serving.

    class means    W'_c = (1 - lambda) W_c + lambda mean_c, normalised; cosines as before
    Tip-Adapter    z_c + alpha * mean over the examples k of c of exp(-beta (1 - x . k))
    logistic       x . V_c + v_c

with W the text vectors, z the text logits, x the unit image embedding and k unit example
embeddings. Tip-Adapter's cache logit is a mean and not a sum, so that a label with many examples
has no head start.
Source: Zhang et al. 2022 (Tip-Adapter), arXiv:2207.09519, equations 3 to 6; Snell et al. 2017
(prototypes), arXiv:1703.05175.

# N = images, C = labels, K = examples, D = embedding dimension
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from core.types import FloatArray, IdArray

HeadKind = Literal["text", "class_means", "tip_adapter", "logistic"]
HEAD_KINDS: tuple[HeadKind, ...] = ("text", "class_means", "tip_adapter", "logistic")

DoubleArray = NDArray[np.float64]


class Head(Protocol):
    """What turns unit image embeddings and text cosines into logits."""

    @property
    def kind(self) -> HeadKind:
        """Which head it is."""
        ...

    def cosines(self, images_ND: DoubleArray, text_NC: DoubleArray) -> DoubleArray:
        """Return the cosine of each image with each label."""
        ...

    def logits(
        self, images_ND: DoubleArray, cosines_NC: DoubleArray, logit_scale: float
    ) -> DoubleArray:
        """Return the logits (N, C), without the bias of the model."""
        ...


@dataclass(frozen=True, slots=True)
class TextHead:
    """The labels' texts alone: what there is without examples, and the baseline of the others."""

    @property
    def kind(self) -> HeadKind:
        """``text``."""
        return "text"

    def cosines(self, images_ND: DoubleArray, text_NC: DoubleArray) -> DoubleArray:
        """Return the text cosines."""
        return text_NC

    def logits(
        self, images_ND: DoubleArray, cosines_NC: DoubleArray, logit_scale: float
    ) -> DoubleArray:
        """Return the scaled cosines."""
        return logit_scale * cosines_NC


@dataclass(frozen=True, slots=True)
class ClassMeansHead:
    """Text vectors moved towards the mean of the examples."""

    matrix_CD: FloatArray
    """Unit vectors, from :func:`blend`."""

    @property
    def kind(self) -> HeadKind:
        """``class_means``."""
        return "class_means"

    def cosines(self, images_ND: DoubleArray, text_NC: DoubleArray) -> DoubleArray:
        """Return the cosines with the blended vectors."""
        cosines_NC: DoubleArray = images_ND @ self.matrix_CD.astype(np.float64).T
        return cosines_NC

    def logits(
        self, images_ND: DoubleArray, cosines_NC: DoubleArray, logit_scale: float
    ) -> DoubleArray:
        """Return the scaled cosines."""
        return logit_scale * cosines_NC


@dataclass(frozen=True, slots=True)
class TipAdapterHead:
    """Text logits plus what the nearest examples say."""

    keys_KD: FloatArray
    """Unit embeddings of the examples."""
    labels_K: IdArray
    """Column of the label of each example."""
    classes: int
    alpha: float
    """Weight of the examples beside the text logits."""
    beta: float
    """How quickly an example's say falls with its distance."""

    @property
    def kind(self) -> HeadKind:
        """``tip_adapter``."""
        return "tip_adapter"

    def cosines(self, images_ND: DoubleArray, text_NC: DoubleArray) -> DoubleArray:
        """Return the text cosines."""
        return text_NC

    def logits(
        self, images_ND: DoubleArray, cosines_NC: DoubleArray, logit_scale: float
    ) -> DoubleArray:
        """Return the text logits plus alpha times the cache logits."""
        affinities_NK = images_ND @ self.keys_KD.astype(np.float64).T
        cache_NC = cache_logits(affinities_NK, self.labels_K, classes=self.classes, beta=self.beta)
        return logit_scale * cosines_NC + self.alpha * cache_NC


@dataclass(frozen=True, slots=True)
class LogisticHead:
    """A linear classifier of the embeddings; the texts have no part in it."""

    weights_CD: FloatArray
    bias_C: FloatArray

    @property
    def kind(self) -> HeadKind:
        """``logistic``."""
        return "logistic"

    def cosines(self, images_ND: DoubleArray, text_NC: DoubleArray) -> DoubleArray:
        """Return the text cosines."""
        return text_NC

    def logits(
        self, images_ND: DoubleArray, cosines_NC: DoubleArray, logit_scale: float
    ) -> DoubleArray:
        """Return the linear scores."""
        logits_NC: DoubleArray = images_ND @ self.weights_CD.astype(np.float64).T
        return logits_NC + self.bias_C.astype(np.float64)


def blend(
    text_CD: FloatArray, examples_KD: FloatArray, labels_K: IdArray, *, weight: float
) -> FloatArray:
    """Return text vectors moved by ``weight`` (0 to 1) towards the mean of their examples, unit.

    A label without examples keeps its text vector, and so does one whose examples cancel it out.
    """
    blended_CD = text_CD.astype(np.float64)
    means_CD = class_means(examples_KD, labels_K, classes=len(text_CD))
    for label in np.unique(labels_K):
        moved_D = (1.0 - weight) * blended_CD[label] + weight * means_CD[label]
        length = float(np.linalg.norm(moved_D))
        if length > 0.0:
            blended_CD[label] = moved_D / length
    return blended_CD.astype(np.float32)


def class_means(examples_KD: FloatArray, labels_K: IdArray, *, classes: int) -> DoubleArray:
    """Return the unit mean of each label's examples (C, D), zero where there are none."""
    sums_CD = np.zeros((classes, examples_KD.shape[1]))
    np.add.at(sums_CD, labels_K, examples_KD.astype(np.float64))
    lengths_C1 = np.linalg.norm(sums_CD, axis=1, keepdims=True)
    means_CD: DoubleArray = np.divide(
        sums_CD, lengths_C1, out=np.zeros_like(sums_CD), where=lengths_C1 > 0.0
    )
    return means_CD


def cache_logits(
    affinities_NK: DoubleArray, labels_K: IdArray, *, classes: int, beta: float
) -> DoubleArray:
    """Return the mean of exp(-beta (1 - affinity)) over the examples of each label (N, C)."""
    counts_C = np.bincount(labels_K, minlength=classes)
    shares_KC = np.zeros((len(labels_K), classes))
    shares_KC[np.arange(len(labels_K)), labels_K] = 1.0 / counts_C[labels_K]
    cache_NC: DoubleArray = np.exp(-beta * (1.0 - affinities_NK)) @ shares_KC
    return cache_NC
