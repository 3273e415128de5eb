"""Evaluation of zero-shot labels on images whose class is known.

# N = images, C = classes
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.artifacts import canonical_json, sha256_bytes
from core.errors import PairsError
from core.pairs.pair import Pair
from core.progress import ProgressFactory, silent
from core.types import IdArray
from encoders.encoder import Encoder
from evaluation.images import FailedImage, embed_images
from evaluation.label_metrics import (
    PerClass,
    accuracy,
    confusion_matrix,
    mean_per_class_recall,
    per_class,
    true_label_ranks,
)
from evaluation.provenance import Provenance, provenance
from zeroshot.classifier import build_classifier
from zeroshot.scores import Scores
from zeroshot.templates import DEFAULT_TEMPLATE_SET, TemplateSet, template_set
from zeroshot.texts import check_labels, tidy

TOP_K = 5
"""Accuracy among the best five is reported too, where there are at least five classes."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the classifier said of one image."""

    id: str
    truth: str
    predicted: str
    score: float
    """Probability of the predicted label."""
    true_rank: int
    """Rank of the true label, from 1."""


@dataclass(frozen=True, slots=True)
class ZeroShotReport:
    """One zero-shot evaluation; ``evaluation.report`` writes it."""

    labels: tuple[str, ...]
    label_digest: str
    """sha256 of the labels in their order."""
    templates: TemplateSet
    accuracy: float
    accuracy_top5: float | None
    """``None`` below five classes, where it says nothing."""
    mean_per_class_recall: float
    """Over the classes that have images."""
    classes: PerClass
    confusion_CC: IdArray
    """Rows are the true class, columns the predicted one, in order of ``labels``."""
    predictions: tuple[Prediction, ...]
    pairs: int
    """Pairs of the data, the ones that could not be scored too."""
    unlabelled: int
    """Pairs without a label."""
    other_labels: dict[str, int]
    """Pairs whose label is not among ``labels``, by label."""
    failed: tuple[FailedImage, ...]
    provenance: Provenance


def evaluate_zero_shot(
    encoder: Encoder,
    pairs: Sequence[Pair],
    *,
    labels: Sequence[str] | None = None,
    templates: TemplateSet | None = None,
    progress: ProgressFactory = silent,
) -> ZeroShotReport:
    """Label every image and compare with the truth.

    Args:
        encoder: the model.
        pairs: with a ``label`` each; the ones without are counted and left out.
        labels: the classes; by default every label of the pairs, sorted.
        templates: prompts, by default ``imagenet7``.
        progress: shows how far it is.

    Raises:
        PairsError: no pair has a label that is among the classes and an image that can be decoded.
        LabelSetError: the labels cannot be used.
        EncoderError: the model fails.
    """
    templates = templates or template_set(DEFAULT_TEMPLATE_SET)
    found = [None if pair.label is None else tidy(pair.label) for pair in pairs]
    checked = check_labels(labels or _labels_of(found))
    class_of = {label.casefold(): place for place, label in enumerate(checked)}
    classes = [None if label is None else class_of.get(label.casefold()) for label in found]
    images = embed_images(encoder, [pair.image for pair in pairs], progress=progress)
    rows = [row for row, place in enumerate(images.places_G) if classes[place] is not None]
    if not rows:
        raise PairsError(
            f"none of {len(pairs)} pairs can be scored: {found.count(None)} have no label, "
            f"{len(images.failed)} images cannot be decoded, and the labels of the others are not "
            "among the classes"
        )
    scored = [pairs[images.places_G[row]] for row in rows]
    truth_N = np.array([classes[images.places_G[row]] for row in rows], np.int64)
    classifier = build_classifier(encoder, checked, templates)
    scores = classifier.classify(images.embeddings_GD[rows])
    # Cosines order the labels as the probabilities do, and do not run out of digits.
    ranks_N = true_label_ranks(scores.cosines_NC, truth_N)
    predicted_N = np.argmax(scores.cosines_NC, axis=1)
    confusion_CC = confusion_matrix(truth_N, predicted_N, classes=len(checked))
    return ZeroShotReport(
        labels=checked,
        label_digest=sha256_bytes(canonical_json(list(checked))),
        templates=templates,
        accuracy=accuracy(ranks_N),
        accuracy_top5=accuracy(ranks_N, k=TOP_K) if len(checked) >= TOP_K else None,
        mean_per_class_recall=mean_per_class_recall(confusion_CC),
        classes=per_class(confusion_CC),
        confusion_CC=confusion_CC,
        predictions=_predictions(scored, scores, truth_N, ranks_N),
        pairs=len(pairs),
        unlabelled=found.count(None),
        other_labels=_other_labels(found, classes),
        failed=images.failed,
        provenance=provenance(encoder, pairs, images.digests_N),
    )


def _labels_of(found: Sequence[str | None]) -> list[str]:
    """Return every label once, sorted; two that differ in case alone are one class."""
    labels = {label.casefold(): label for label in sorted(filter(None, found), reverse=True)}
    if not labels:
        raise PairsError(
            "no pair has a label: put the images in one folder per class, or give the table a "
            "column 'label'"
        )
    return sorted(labels.values())


def _predictions(
    pairs: Sequence[Pair], scores: Scores, truth_N: IdArray, ranks_N: IdArray
) -> tuple[Prediction, ...]:
    predictions = []
    for row, pair in enumerate(pairs):
        best = scores.top(row, 1)[0]
        predictions.append(
            Prediction(
                id=pair.id,
                truth=scores.labels[int(truth_N[row])],
                predicted=best.label,
                score=best.score,
                true_rank=int(ranks_N[row]),
            )
        )
    return tuple(predictions)


def _other_labels(found: Sequence[str | None], classes: Sequence[int | None]) -> dict[str, int]:
    others = Counter(
        label
        for label, place in zip(found, classes, strict=True)
        if label is not None and place is None
    )
    return dict(sorted(others.items()))
