"""Metrics of predicted labels: accuracy, top-k accuracy, confusion matrix, per-class values.

Pure NumPy. A value that is 0 / 0 is NaN here and ``null`` in a report, never a silent 0.

# N = images, C = classes
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import UsageError
from core.types import FloatArray, IdArray


@dataclass(frozen=True, slots=True)
class PerClass:
    """One value per class; NaN where it is not defined."""

    precision_C: NDArray[np.float64]
    """TP / predicted as the class; NaN if none was."""
    recall_C: NDArray[np.float64]
    """TP / images of the class; NaN if there are none."""
    f1_C: NDArray[np.float64]
    """2 TP / (predicted + images); NaN if both are 0."""
    support_C: IdArray
    """Images of the class."""
    predicted_C: IdArray
    """Images predicted as the class."""


def true_label_ranks(scores_NC: FloatArray, truth_N: IdArray) -> IdArray:
    """Return the rank, from 1, of each true label: score descending, then order of the classes.

    Raises:
        UsageError: the shapes do not fit.
    """
    if scores_NC.ndim != 2 or truth_N.shape != scores_NC.shape[:1]:  # noqa: PLR2004 - rows and columns
        raise UsageError(f"scores have the shape {scores_NC.shape}, truths {truth_N.shape}")
    own_N1 = np.take_along_axis(scores_NC, truth_N[:, None], axis=1)
    earlier_NC = np.arange(scores_NC.shape[1])[None, :] < truth_N[:, None]
    ahead_NC = (scores_NC > own_N1) | ((scores_NC == own_N1) & earlier_NC)
    ranks_N: IdArray = 1 + ahead_NC.sum(axis=1, dtype=np.int64)
    return ranks_N


def accuracy(ranks_N: IdArray, *, k: int = 1) -> float:
    """Return the fraction of images whose true label is among the best ``k``.

    Source: scikit-learn ``top_k_accuracy_score``, but with the tie rule of ``true_label_ranks``.

    Raises:
        UsageError: no images, or k below 1.
    """
    if len(ranks_N) == 0 or k < 1:
        raise UsageError(
            f"accuracy of {len(ranks_N)} images at k = {k}: expected 1 or more of both"
        )
    return float(np.count_nonzero(ranks_N <= k) / len(ranks_N))


def confusion_matrix(truth_N: IdArray, predicted_N: IdArray, *, classes: int) -> IdArray:
    """Return counts (C, C): rows are the true class, columns the predicted one.

    Raises:
        UsageError: the shapes differ, or a class is out of range.
    """
    if truth_N.shape != predicted_N.shape:
        raise UsageError(f"{truth_N.shape} truths and {predicted_N.shape} predictions")
    for name, values_N in (("truth", truth_N), ("prediction", predicted_N)):
        if len(values_N) and not 0 <= values_N.min() <= values_N.max() < classes:
            raise UsageError(f"a {name} is outside of 0 to {classes - 1}")
    cells = np.bincount(truth_N * classes + predicted_N, minlength=classes * classes)
    return cells.reshape(classes, classes).astype(np.int64)


@dataclass(frozen=True, slots=True)
class ClassCounts:
    """What every number of this file but the confusion itself is made of."""

    hits_C: IdArray
    """Images of the class that were predicted as it."""
    support_C: IdArray
    """Images of the class."""
    predicted_C: IdArray
    """Images predicted as the class."""


def counts_of_confusion(confusion_CC: IdArray) -> ClassCounts:
    """Return diagonal and margins of a confusion matrix."""
    return ClassCounts(
        np.diagonal(confusion_CC), confusion_CC.sum(axis=1), confusion_CC.sum(axis=0)
    )


def counts_of_rows(truth_N: IdArray, predicted_N: IdArray, *, classes: int) -> ClassCounts:
    """Return the counts of images without the (C, C) matrix, for samples of a bootstrap."""
    return ClassCounts(
        np.bincount(truth_N[truth_N == predicted_N], minlength=classes),
        np.bincount(truth_N, minlength=classes),
        np.bincount(predicted_N, minlength=classes),
    )


def per_class(counts: ClassCounts) -> PerClass:
    """Return precision, recall and F1 of each class.

    Source: Manning, Raghavan, Schuetze 2008, Introduction to Information Retrieval, section 8.3.
    """
    hits_C, support_C, predicted_C = counts.hits_C, counts.support_C, counts.predicted_C
    return PerClass(
        precision_C=_ratio(hits_C, predicted_C),
        recall_C=_ratio(hits_C, support_C),
        f1_C=_ratio(2 * hits_C, support_C + predicted_C),
        support_C=support_C,
        predicted_C=predicted_C,
    )


def mean_per_class_recall(counts: ClassCounts) -> float:
    """Return the mean recall over the classes that have images: every class weighs the same.

    Source: "mean per class" accuracy in Radford et al. 2021, arXiv:2103.00020, appendix A; equal
    to scikit-learn's ``balanced_accuracy_score``.

    Raises:
        UsageError: no class has an image.
    """
    recall_C = per_class(counts).recall_C
    if np.isnan(recall_C).all():
        raise UsageError("no class has an image; mean per-class recall is not defined")
    return float(np.nanmean(recall_C))


@dataclass(frozen=True, slots=True)
class Averages:
    """Precision, recall and F1 of all classes as one number each, by how classes are weighed.

    A class that never occurs, neither as truth nor as prediction, is in none of them; a value of
    0 / 0 of another class counts as 0, as in scikit-learn with ``zero_division=0``.
    """

    macro_precision: float
    """Every class weighs the same."""
    macro_recall: float
    """Over the predicted classes too; ``mean_per_class_recall`` is over those with images."""
    macro_f1: float
    """Mean of the classes' F1, not F1 of the means."""
    weighted_precision: float
    """A class weighs as many as it has images."""
    weighted_recall: float
    """The accuracy, by another name."""
    weighted_f1: float
    micro_f1: float
    """All decisions pooled; with one label per image it is the accuracy."""


def averages(counts: ClassCounts) -> Averages:
    """Return the macro, weighted and micro averages.

    Source: Manning, Raghavan, Schuetze 2008, section 13.6; Sokolova, Lapalme 2009, table 3.

    Raises:
        UsageError: no image.
    """
    classes = per_class(counts)
    total = int(classes.support_C.sum())
    if not total:
        raise UsageError("no image: the averages are not defined")
    present_C = (classes.support_C > 0) | (classes.predicted_C > 0)
    weights_C = classes.support_C / total
    columns = {
        "precision": np.nan_to_num(classes.precision_C),
        "recall": np.nan_to_num(classes.recall_C),
        "f1": np.nan_to_num(classes.f1_C),
    }
    macro = {f"macro_{name}": float(one_C[present_C].mean()) for name, one_C in columns.items()}
    weighted = {f"weighted_{name}": float(one_C @ weights_C) for name, one_C in columns.items()}
    return Averages(**macro, **weighted, micro_f1=float(counts.hits_C.sum() / total))


def matthews_correlation(counts: ClassCounts) -> float:
    """Return the correlation of truth and prediction, -1 to 1; NaN if either is always the same.

    Source: Gorodkin 2004, Comparing two K-category assignments; for two classes Matthews 1975.
    """
    total, right = float(counts.support_C.sum()), float(counts.hits_C.sum())
    truth_C = counts.support_C.astype(np.float64)
    predicted_C = counts.predicted_C.astype(np.float64)
    shared = right * total - truth_C @ predicted_C
    spread = (total**2 - predicted_C @ predicted_C) * (total**2 - truth_C @ truth_C)
    return float(shared / np.sqrt(spread)) if spread > 0 else float("nan")


def _ratio(numerator_C: IdArray, denominator_C: IdArray) -> NDArray[np.float64]:
    ratio_C = np.full(len(numerator_C), np.nan)
    np.divide(numerator_C, denominator_C, out=ratio_C, where=denominator_C > 0)
    return ratio_C
