"""Rules of evaluation.threshold_metrics and evaluation.selective_metrics.

# N = scored items, C = labels
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import UsageError
from evaluation.selective_metrics import risk_coverage
from evaluation.threshold_metrics import (
    BinaryCounts,
    average_precision_of_scores,
    counts_at,
    mean_average_precision_of_labels,
    threshold_curve,
    threshold_for_precision,
)

steady = settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
"""The same examples each time, however slow the machine."""

ITEMS = st.lists(
    st.tuples(st.sampled_from([-0.5, 0.0, 0.1, 0.4, 0.4000001, 0.9]), st.booleans()),
    min_size=1,
    max_size=25,
).filter(lambda items: any(positive for _, positive in items))


def arrays(items: list[tuple[float, bool]]) -> tuple[np.ndarray, np.ndarray]:
    """Return scores and truths."""
    return np.array([score for score, _ in items]), np.array([truth for _, truth in items])


@steady
@given(ITEMS)
def test_the_curve_is_that_of_scikit_learn(items: list[tuple[float, bool]]) -> None:
    """Same thresholds, precision, recall and AP, ties included; but for its one point of none."""
    from sklearn.metrics import average_precision_score, precision_recall_curve

    scores_N, positive_N = arrays(items)
    precision, recall, thresholds = precision_recall_curve(positive_N, scores_N)
    curve = threshold_curve(scores_N, positive_N)

    np.testing.assert_array_equal(curve.thresholds_T[::-1], thresholds)
    np.testing.assert_allclose(curve.precision_T[::-1], precision[:-1])
    np.testing.assert_allclose(curve.recall_T[::-1], recall[:-1])
    assert average_precision_of_scores(scores_N, positive_N) == pytest.approx(
        average_precision_score(positive_N, scores_N)
    )


@steady
@given(ITEMS)
def test_every_point_of_the_curve_is_its_threshold(items: list[tuple[float, bool]]) -> None:
    """Counting at the threshold gives the counts of the curve, and its F1."""
    scores_N, positive_N = arrays(items)
    curve = threshold_curve(scores_N, positive_N)

    for place, threshold in enumerate(curve.thresholds_T):
        counts = counts_at(scores_N, positive_N, float(threshold))
        assert counts == curve.counts(place)
        assert counts.f1 == pytest.approx(curve.f1_T[place])


@steady
@given(ITEMS)
def test_the_envelope_never_rises_with_recall_and_covers_the_curve(
    items: list[tuple[float, bool]],
) -> None:
    """Interpolated precision is the best at this recall or more."""
    curve = threshold_curve(*arrays(items))

    assert np.all(np.diff(curve.envelope_T) <= 0)
    assert np.all(curve.envelope_T >= curve.precision_T)
    assert curve.envelope_T[-1] == curve.precision_T[-1]


@steady
@given(ITEMS, st.floats(0, 1))
def test_the_chosen_threshold_is_the_best_of_all(
    items: list[tuple[float, bool]], target: float
) -> None:
    """None only where no threshold has the precision; else of these the most recall."""
    scores_N, positive_N = arrays(items)
    found = threshold_for_precision(scores_N, positive_N, target)

    tried = [counts_at(scores_N, positive_N, score) for score in scores_N]
    recalls = [counts.recall for counts in tried if counts.precision >= target]
    if found is None:
        assert recalls == []
    else:
        assert found.counts.precision >= target
        assert found.counts.recall == max(recalls)
        assert counts_at(scores_N, positive_N, found.threshold) == found.counts


def test_what_is_zero_over_zero_is_nan() -> None:
    """Nothing predicted: no precision. No negatives: no specificity, and no correlation."""
    counts = BinaryCounts(0, 0, 3, 0)

    assert math.isnan(counts.precision)
    assert math.isnan(counts.specificity)
    assert math.isnan(counts.mcc)
    assert (counts.recall, counts.f1, counts.accuracy) == (0.0, 0.0, 0.0)


def test_multi_label_map_leaves_labels_without_items_out() -> None:
    """Perfect for one label, 1/2 for the other, nothing for the third: the mean is .75."""
    scores_NC = np.array([[0.9, 0.9, 0.5], [0.1, 0.2, 0.6]])
    positive_NC = np.array([[True, False, False], [False, True, False]])

    value, values_C = mean_average_precision_of_labels(scores_NC, positive_NC)

    assert value == 0.75
    np.testing.assert_array_equal(values_C, [1.0, 0.5, np.nan])


def test_multi_label_map_is_that_of_scikit_learn_per_label() -> None:
    """100 items, 6 labels."""
    from sklearn.metrics import average_precision_score

    generator = np.random.default_rng(1)
    scores_NC, positive_NC = generator.random((100, 6)), generator.random((100, 6)) < 0.2

    value, _ = mean_average_precision_of_labels(scores_NC, positive_NC)

    assert value == pytest.approx(average_precision_score(positive_NC, scores_NC, average="macro"))


@pytest.mark.parametrize(
    ("scores", "positive", "message"),
    [
        ([0.1, 0.2], [True], "expected"),
        ([0.1, np.nan], [True, False], "NaN"),
        ([0.1, 0.2], [False, False], "none of 2 items is positive"),
    ],
)
def test_scores_that_make_no_curve_are_refused(
    scores: list[float], positive: list[bool], message: str
) -> None:
    """Lengths differ, NaN, nothing positive."""
    with pytest.raises(UsageError, match=message):
        threshold_curve(np.array(scores), np.array(positive))


def test_a_target_is_a_precision() -> None:
    """Between 0 and 1; and labels without any item have no mean."""
    with pytest.raises(UsageError, match="target precision"):
        threshold_for_precision(np.array([0.1]), np.array([True]), 1.5)
    with pytest.raises(UsageError, match="no label has an item"):
        mean_average_precision_of_labels(np.zeros((2, 2)), np.zeros((2, 2), bool))


def test_risk_and_coverage_by_hand() -> None:
    """Right, wrong, right by falling confidence: risks 0, 1/2, 1/3; their mean is 5/18."""
    curve = risk_coverage(np.array([0.9, 0.5, 0.7]), np.array([True, True, False]))

    assert curve.thresholds_T.tolist() == [0.9, 0.7, 0.5]
    assert curve.coverage_T.tolist() == pytest.approx([1 / 3, 2 / 3, 1.0])
    assert curve.risk_T.tolist() == pytest.approx([0.0, 1 / 2, 1 / 3])
    assert curve.area == pytest.approx(5 / 18)


def test_equal_confidences_are_kept_or_refused_together() -> None:
    """A constant confidence has one point, whatever the order: the risk of answering always."""
    for correct in ([True, False], [False, True]):
        curve = risk_coverage(np.array([0.5, 0.5]), np.array(correct))
        assert (curve.coverage_T.tolist(), curve.risk_T.tolist()) == ([1.0], [0.5])
        assert curve.area == 0.5


@pytest.mark.parametrize("confidence", [[], [0.1], [0.1, np.nan]])
def test_confidences_that_make_no_curve_are_refused(confidence: list[float]) -> None:
    """None, too few, NaN."""
    with pytest.raises(UsageError, match="confidence"):
        risk_coverage(np.array(confidence), np.ones(0 if not confidence else 2, bool))
