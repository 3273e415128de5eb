"""What a probe trains: a linear classifier of the images alone, or a head beside the texts.

# N = images, C = classes, D = embedding dimension
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from core.errors import UsageError
from core.types import FloatArray
from zeroshot.classifier import Classifier
from zeroshot.few_shot import Examples, best_candidate
from zeroshot.few_shot_candidates import Candidate, build_head
from zeroshot.heads import Head, HeadKind, LogisticHead
from zeroshot.logistic import fit_logistic

LOWEST, HIGHEST = -6.0, 6.0
"""Powers of ten that C is searched between."""
_FIRST_STEP, _LAST_STEP = 2.0, 0.125

Parameters = Mapping[str, float]
Logits = NDArray[np.float64]


class ProbeHead(Protocol):
    """How one kind of probe is trained."""

    @property
    def classes(self) -> int:
        """Number of the classes."""
        ...

    def choose(self, train: Examples, validation: Examples) -> tuple[Parameters, float]:
        """Return the parameters that are best on the validation images, and their accuracy."""
        ...

    def fit(self, train: Examples, parameters: Parameters) -> Head:
        """Return a head that is trained with these parameters."""
        ...

    def logits(self, head: Head, images_ND: FloatArray) -> Logits:
        """Return the logits (N, C) of a trained head."""
        ...


def probe_head(kind: HeadKind, classifier: Classifier | None, *, classes: int) -> ProbeHead:
    """Return how a kind of probe is trained.

    Args:
        kind: ``logistic`` is the linear probe of the published figures, without texts.
        classifier: of the texts; the other kinds need it.
        classes: number of them.

    Raises:
        UsageError: a kind without its texts.
    """
    if kind == "logistic":
        return _LinearProbe(classes)
    if classifier is None:
        raise UsageError(f"a probe of kind {kind} begins with texts; embed the labels too")
    return _TextProbe(kind, classifier)


def search_c(accuracy_of: Callable[[float], float]) -> tuple[float, float]:
    """Return the C of best accuracy and that accuracy; of equal ones the smallest C.

    Seven powers of a hundred first, then the neighbours of the best at half the distance, until
    there are eight steps a decade.
    """
    known: dict[float, float] = {}

    def measure(exponent: float) -> float:
        if exponent not in known:
            known[exponent] = accuracy_of(10.0**exponent)
        return known[exponent]

    step = _FIRST_STEP
    candidates = np.arange(LOWEST, HIGHEST + step, step).tolist()
    while True:
        best = max(candidates, key=lambda exponent: (measure(exponent), -exponent))
        step /= 2
        if step < _LAST_STEP:
            return 10.0**best, known[best]
        candidates = [
            exponent
            for exponent in (best - step, best, best + step)
            if LOWEST <= exponent <= HIGHEST
        ]


@dataclass(frozen=True, slots=True)
class _LinearProbe:
    """Logistic regression whose penalty is searched as CLIP's paper does."""

    classes: int

    def choose(self, train: Examples, validation: Examples) -> tuple[Parameters, float]:
        """Return the C that is best on the validation images, and its accuracy."""

        def accuracy_of(c: float) -> float:
            logits_NC = self.logits(self.fit(train, {"c": c}), validation.embeddings_KD)
            return float((np.argmax(logits_NC, axis=1) == validation.labels_K).mean())

        c, accuracy = search_c(accuracy_of)
        return {"c": c}, accuracy

    def fit(self, train: Examples, parameters: Parameters) -> LogisticHead:
        """Return logistic regression with a penalty."""
        return fit_logistic(
            train.embeddings_KD, train.labels_K, classes=self.classes, c=parameters["c"]
        )

    def logits(self, head: Head, images_ND: FloatArray) -> Logits:
        """Return the linear scores."""
        return head.logits(images_ND.astype(np.float64), _NO_COSINES, 1.0)


@dataclass(frozen=True, slots=True)
class _TextProbe:
    """A few-shot head beside the texts, its parameters from the grid of the label sets."""

    kind: HeadKind
    classifier: Classifier

    @property
    def classes(self) -> int:
        """Number of the classes."""
        return len(self.classifier.labels)

    def choose(self, train: Examples, validation: Examples) -> tuple[Parameters, float]:
        """Return the parameters of the grid that are best, and their accuracy."""
        candidate, accuracy = best_candidate(self.classifier, train, validation, kind=self.kind)
        return dict(candidate.parameters), accuracy

    def fit(self, train: Examples, parameters: Parameters) -> Head:
        """Return the head of these parameters."""
        candidate = Candidate(self.kind, parameters)
        return build_head(candidate, self.classifier, train.embeddings_KD, train.labels_K)

    def logits(self, head: Head, images_ND: FloatArray) -> Logits:
        """Return what the head makes of the images and the text cosines."""
        images_ND64 = images_ND.astype(np.float64)
        text_NC = images_ND64 @ self.classifier.matrix_CD.astype(np.float64).T
        cosines_NC = head.cosines(images_ND64, text_NC)
        return head.logits(images_ND64, cosines_NC, self.classifier.logit_scale)


_NO_COSINES: Logits = np.empty((0, 0))
"""Logistic regression looks at none."""
