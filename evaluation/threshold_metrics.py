"""Metrics of a score with a threshold: counts, precision-recall curve, operating points, mAP.

AUROC and the false positive rate at 95 % recall are in ``zeroshot.separation``.

An item is predicted positive if its score is at or above the threshold. Ties are one step of a
curve: no threshold can part them. Pure NumPy.

# N = scored items, T = thresholds (the different scores, highest first)
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import UsageError
from core.types import IdArray

Numbers = NDArray[np.float64]
Truths = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class BinaryCounts:
    """What a threshold does to positives and negatives; values that are 0 / 0 are NaN."""

    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int

    @property
    def precision(self) -> float:
        """TP / (TP + FP)."""
        return _ratio(self.true_positives, self.true_positives + self.false_positives)

    @property
    def recall(self) -> float:
        """TP / (TP + FN); also called sensitivity and true positive rate."""
        return _ratio(self.true_positives, self.true_positives + self.false_negatives)

    @property
    def specificity(self) -> float:
        """TN / (TN + FP); 1 less the false positive rate."""
        return _ratio(self.true_negatives, self.true_negatives + self.false_positives)

    @property
    def accuracy(self) -> float:
        """(TP + TN) / all."""
        total = self.false_positives + self.false_negatives
        right = self.true_positives + self.true_negatives
        return _ratio(right, right + total)

    @property
    def f1(self) -> float:
        """2 TP / (2 TP + FP + FN)."""
        wrong = self.false_positives + self.false_negatives
        return _ratio(2 * self.true_positives, 2 * self.true_positives + wrong)

    @property
    def mcc(self) -> float:
        """Correlation of truth and prediction.

        Source: Matthews 1975, Biochimica et Biophysica Acta 405(2).
        """
        tp, fp = self.true_positives, self.false_positives
        fn, tn = self.false_negatives, self.true_negatives
        product = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)
        return (tp * tn - fp * fn) / math.sqrt(product) if product else math.nan


@dataclass(frozen=True, slots=True)
class ThresholdCurve:
    """Counts at each different score as the threshold, highest first."""

    thresholds_T: Numbers
    true_positives_T: IdArray
    false_positives_T: IdArray
    positives: int
    negatives: int

    @property
    def precision_T(self) -> Numbers:  # noqa: N802 - the shape is in the name
        """Precision at each threshold."""
        return self.true_positives_T / (self.true_positives_T + self.false_positives_T)

    @property
    def recall_T(self) -> Numbers:  # noqa: N802 - the shape is in the name
        """Recall at each threshold; ascending, and 1 at the last."""
        return self.true_positives_T / self.positives

    @property
    def f1_T(self) -> Numbers:  # noqa: N802 - the shape is in the name
        """F1 at each threshold."""
        predicted_T = self.true_positives_T + self.false_positives_T
        return 2 * self.true_positives_T / (predicted_T + self.positives)

    @property
    def envelope_T(self) -> Numbers:  # noqa: N802 - the shape is in the name
        """Interpolated precision: the best at this recall or more, for plots only."""
        return np.maximum.accumulate(self.precision_T[::-1])[::-1]

    def counts(self, place: int) -> BinaryCounts:
        """Return the counts at one threshold."""
        tp, fp = int(self.true_positives_T[place]), int(self.false_positives_T[place])
        return BinaryCounts(tp, fp, self.positives - tp, self.negatives - fp)


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """A threshold and what it does."""

    threshold: float
    counts: BinaryCounts


def counts_at(scores_N: Numbers, positive_N: Truths, threshold: float) -> BinaryCounts:
    """Return the counts when items at or above ``threshold`` are predicted positive.

    Raises:
        UsageError: lengths differ, or a score is NaN.
    """
    scores_N, positive_N = _checked(scores_N, positive_N)
    predicted_N = scores_N >= threshold
    return BinaryCounts(
        true_positives=int(np.count_nonzero(predicted_N & positive_N)),
        false_positives=int(np.count_nonzero(predicted_N & ~positive_N)),
        false_negatives=int(np.count_nonzero(~predicted_N & positive_N)),
        true_negatives=int(np.count_nonzero(~predicted_N & ~positive_N)),
    )


def threshold_curve(scores_N: Numbers, positive_N: Truths) -> ThresholdCurve:
    """Return the counts at every threshold that matters: the precision-recall curve and the ROC.

    scikit-learn's ``precision_recall_curve`` has the same points the other way round, and one more
    (precision 1, recall 0) that belongs to no threshold.
    Source: Davis, Goadrich 2006, The relationship between precision-recall and ROC curves.

    Raises:
        UsageError: lengths differ, a score is NaN, or nothing is positive.
    """
    scores_N, positive_N = _checked(scores_N, positive_N)
    positives = int(positive_N.sum())
    if not positives:
        raise UsageError(f"none of {len(positive_N)} items is positive; there is no recall")
    order_N = np.argsort(-scores_N, kind="stable")
    ordered_N = scores_N[order_N]
    last_T = np.flatnonzero(np.append(np.diff(ordered_N) != 0, True))
    found_T = np.cumsum(positive_N[order_N], dtype=np.int64)[last_T]
    return ThresholdCurve(
        thresholds_T=ordered_N[last_T],
        true_positives_T=found_T,
        false_positives_T=last_T + 1 - found_T,
        positives=positives,
        negatives=len(positive_N) - positives,
    )


def average_precision_of_scores(scores_N: Numbers, positive_N: Truths) -> float:
    """Return the sum of (R_n - R_n-1) P_n over thresholds; ties are one step.

    Equal to the AP of a ranked list where no scores are equal. scikit-learn
    ``average_precision_score``. Not the trapezoid, which is too kind.

    Raises:
        UsageError: see ``threshold_curve``.
    """
    curve = threshold_curve(scores_N, positive_N)
    return float(np.sum(np.diff(curve.recall_T, prepend=0.0) * curve.precision_T))


def threshold_for_precision(
    scores_N: Numbers, positive_N: Truths, target: float
) -> OperatingPoint | None:
    """Return the threshold of most recall among those with that precision; ``None`` if none has.

    Raises:
        UsageError: ``target`` is not in 0 to 1; and see ``threshold_curve``.
    """
    if not 0.0 <= target <= 1.0:
        raise UsageError(f"target precision = {target}: expected 0 to 1", param="target")
    curve = threshold_curve(scores_N, positive_N)
    reached = np.flatnonzero(curve.precision_T >= target)
    if not len(reached):
        return None
    # Recall ascends, and of equal recalls the first threshold has the better precision.
    place = int(reached[np.argmax(curve.true_positives_T[reached])])
    return OperatingPoint(float(curve.thresholds_T[place]), curve.counts(place))


def mean_average_precision_of_labels(
    scores_NC: Numbers, positive_NC: Truths
) -> tuple[float, Numbers]:
    """Return the mean AP over the labels that have an item, and the AP of each label (NaN: none).

    Some tools count a label without items as 0, which lowers the mean.
    Source: Everingham et al. 2010, The Pascal VOC Challenge, section 4.2, with AP not interpolated.

    Raises:
        UsageError: no label has an item; and see ``threshold_curve``.
    """
    positive_NC = np.asarray(positive_NC, bool)
    values_C = np.array(
        [
            average_precision_of_scores(scores_N, positive_N) if positive_N.any() else np.nan
            for scores_N, positive_N in zip(scores_NC.T, positive_NC.T, strict=True)
        ]
    )
    if np.isnan(values_C).all():
        raise UsageError("no label has an item; mean average precision is not defined")
    return float(np.nanmean(values_C)), values_C


def _checked(scores_N: Numbers, positive_N: Truths) -> tuple[Numbers, Truths]:
    scores_N, positive_N = np.asarray(scores_N, np.float64), np.asarray(positive_N, bool)
    if scores_N.ndim != 1 or scores_N.shape != positive_N.shape:
        raise UsageError(
            f"scores have the shape {scores_N.shape}, truths {positive_N.shape}: expected (N,) both"
        )
    if np.isnan(scores_N).any():
        raise UsageError("a score is NaN; what is not comparable has no place on a curve")
    return scores_N, positive_N


def _ratio(numerator: int, denominator: int) -> float:
    return numerator / denominator if denominator else math.nan
