"""The heads that are tried: the kinds and the grids of their parameters.

# N = images, C = labels, K = examples, D = embedding dimension
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.types import FloatArray, IdArray
from zeroshot.classifier import Classifier
from zeroshot.heads import (
    ClassMeansHead,
    Head,
    HeadKind,
    TextHead,
    TipAdapterHead,
    blend,
)
from zeroshot.logistic import fit_logistic

WEIGHTS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""Of the examples' mean beside the text vector."""
ALPHAS = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
"""Of Tip-Adapter; its paper has .1 to 3 for a sum over up to 16 examples, here it is a mean."""
BETAS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""Of Tip-Adapter; its paper has .1 to 7."""
PENALTIES = (0.1, 1.0, 10.0, 100.0, 1000.0)
"""Inverse strength C of logistic regression."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A kind of head and its parameters."""

    kind: HeadKind
    parameters: Mapping[str, float]


def candidates_of(kinds: Sequence[HeadKind]) -> list[Candidate]:
    """Return every candidate of the kinds; the ones nearest to the texts come first."""
    grids: dict[HeadKind, list[Mapping[str, float]]] = {
        "text": [{}],
        "class_means": [{"weight": weight} for weight in WEIGHTS],
        "tip_adapter": [{"alpha": alpha, "beta": beta} for alpha in ALPHAS for beta in BETAS],
        "logistic": [{"c": c} for c in PENALTIES],
    }
    return [Candidate(kind, parameters) for kind in kinds for parameters in grids[kind]]


def build_head(
    candidate: Candidate, classifier: Classifier, examples_KD: FloatArray, labels_K: IdArray
) -> Head:
    """Fit one candidate on the examples.

    Raises:
        UsageError: logistic regression without scikit-learn, or with a label without example.
    """
    parameters, classes = candidate.parameters, len(classifier.labels)
    if candidate.kind == "text":
        return TextHead()
    if candidate.kind == "class_means":
        weight = parameters["weight"]
        return ClassMeansHead(blend(classifier.matrix_CD, examples_KD, labels_K, weight=weight))
    if candidate.kind == "tip_adapter":
        alpha, beta = parameters["alpha"], parameters["beta"]
        return TipAdapterHead(examples_KD, labels_K, classes, alpha, beta)
    return fit_logistic(examples_KD, labels_K, classes=classes, c=parameters["c"])


def candidate_logits(
    candidate: Candidate,
    classifier: Classifier,
    examples_KD: FloatArray,
    labels_K: IdArray,
    images_ND: FloatArray,
) -> NDArray[np.float64]:
    """Return the logits (N, C) that a candidate, fitted on the examples, gives to images."""
    head = build_head(candidate, classifier, examples_KD, labels_K)
    images_ND64 = images_ND.astype(np.float64)
    text_NC = images_ND64 @ classifier.matrix_CD.astype(np.float64).T
    cosines_NC = head.cosines(images_ND64, text_NC)
    return head.logits(images_ND64, cosines_NC, classifier.logit_scale)
