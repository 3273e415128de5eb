"""What a classifier said of images whose class is known, whoever ran it.

# N = images scored, C = classes
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from core.errors import PairsError
from core.pairs.pair import Pair
from core.types import IdArray, JSONObject
from evaluation.embeddings import Embeddings
from evaluation.prompts import Prompts
from zeroshot.scores import softmax
from zeroshot.texts import tidy

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Predictions:
    """Scores of N images over C classes, and their true classes."""

    pairs: tuple[Pair, ...]
    labels: tuple[str, ...]
    truth_N: IdArray
    logits_NC: Numbers
    """The best label is the one with the largest; temperatures divide them."""
    probabilities_NC: Numbers
    """Rows sum to 1."""
    latencies_ms: tuple[float, ...] = ()
    """Of each image, where somebody was asked."""
    silences: tuple[str | None, ...] = ()
    """Why no label was given, ``None`` where one was; empty where one always is."""

    @property
    def predicted_N(self) -> IdArray:  # noqa: N802 - the shape is in the name
        """Return the class of the largest logit; the first of equal ones."""
        best_N: IdArray = np.argmax(self.logits_NC, axis=1)
        return best_N

    @property
    def correct_N(self) -> NDArray[np.bool_]:  # noqa: N802 - the shape is in the name
        """Return whether the prediction is the truth."""
        right_N: NDArray[np.bool_] = self.predicted_N == self.truth_N
        return right_N

    @property
    def confidence_N(self) -> Numbers:  # noqa: N802 - the shape is in the name
        """Return the probability of the predicted class."""
        confidence_N: Numbers = self.probabilities_NC[np.arange(len(self.pairs)), self.predicted_N]
        return confidence_N

    def at_temperature(self, temperature: float) -> Predictions:
        """Return the same predictions with logits divided by a temperature."""
        logits_NC = self.logits_NC / temperature
        return replace(self, logits_NC=logits_NC, probabilities_NC=softmax(logits_NC))

    def rows(self, places: Sequence[int] | IdArray) -> Predictions:
        """Return some of the images."""
        chosen = np.asarray(places, np.int64)
        return Predictions(
            tuple(self.pairs[place] for place in chosen.tolist()),
            self.labels,
            self.truth_N[chosen],
            self.logits_NC[chosen],
            self.probabilities_NC[chosen],
            tuple(self.latencies_ms[place] for place in chosen.tolist())
            if self.latencies_ms
            else (),
            tuple(self.silences[place] for place in chosen.tolist()) if self.silences else (),
        )


@dataclass(frozen=True, slots=True)
class Truths:
    """The true class of each pair, and which pairs have none."""

    classes: tuple[int | None, ...]
    unlabelled: int
    """Pairs without a label."""
    others: dict[str, int]
    """Pairs whose label is not among the classes, by label."""

    def facts(self) -> JSONObject:
        """Return what a report says of them."""
        return {
            "pairs_without_label": self.unlabelled,
            "pairs_with_other_labels": dict(self.others),
        }


def truths_of(pairs: Sequence[Pair], labels: Sequence[str]) -> Truths:
    """Compare the labels of pairs with the classes; case and white space do not matter."""
    class_of = {tidy(label).casefold(): place for place, label in enumerate(labels)}
    found = [None if pair.label is None else tidy(pair.label) for pair in pairs]
    classes = [None if label is None else class_of.get(label.casefold()) for label in found]
    others = Counter(
        label
        for label, place in zip(found, classes, strict=True)
        if label is not None and place is None
    )
    return Truths(tuple(classes), found.count(None), dict(sorted(others.items())))


def labels_of(pairs: Sequence[Pair]) -> list[str]:
    """Return every label of the pairs once, sorted; two that differ in case alone are one class.

    Raises:
        PairsError: no pair has a label.
    """
    found = [tidy(pair.label) for pair in pairs if pair.label is not None]
    labels = {label.casefold(): label for label in sorted(filter(None, found), reverse=True)}
    if not labels:
        raise PairsError(
            "no pair has a label: put the images in one folder per class, or give the table a "
            "column 'label'"
        )
    return sorted(labels.values())


def predict(embeddings: Embeddings, prompts: Prompts) -> Predictions:
    """Label every decoded image that has a class.

    Raises:
        PairsError: there is none.
    """
    truths = truths_of(embeddings.pairs, prompts.texts)
    places = embeddings.images.places_G
    rows = [row for row, place in enumerate(places) if truths.classes[place] is not None]
    if not rows:
        raise PairsError(
            f"none of {len(embeddings.pairs)} pairs can be scored: {truths.unlabelled} have no "
            f"label, {len(embeddings.images.failed)} images cannot be decoded, and the labels of "
            "the others are not among the classes"
        )
    classifier = prompts.classifier(embeddings.provenance)
    scores = classifier.classify(embeddings.images.embeddings_GD[rows])
    return Predictions(
        pairs=tuple(embeddings.pairs[places[row]] for row in rows),
        labels=prompts.texts,
        truth_N=np.array([truths.classes[places[row]] for row in rows], np.int64),
        logits_NC=scores.logits_NC,
        probabilities_NC=softmax(scores.logits_NC),
    )
