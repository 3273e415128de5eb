"""Rules of evaluation.label_metrics.

# N = images, C = classes
"""

from __future__ import annotations

import numpy as np
import pytest

from core.errors import UsageError
from evaluation.label_metrics import (
    accuracy,
    averages,
    confusion_matrix,
    counts_of_confusion,
    matthews_correlation,
    mean_per_class_recall,
    per_class,
    true_label_ranks,
)


def test_the_rank_of_the_true_label_counts_the_better_ones() -> None:
    """Class 2 has the second best score."""
    scores_NC = np.array([[0.1, 0.7, 0.2]], np.float32)

    assert true_label_ranks(scores_NC, np.array([2])).tolist() == [2]


def test_equal_scores_are_in_order_of_the_classes() -> None:
    """A constant classifier predicts the first class, so only its images count as right."""
    scores_NC = np.full((3, 3), 0.5, np.float32)

    assert true_label_ranks(scores_NC, np.array([0, 1, 2])).tolist() == [1, 2, 3]


def test_accuracy_is_the_fraction_within_k() -> None:
    """Ranks 1, 2, 6 and 1."""
    ranks_N = np.array([1, 2, 6, 1])

    assert accuracy(ranks_N) == 0.5
    assert accuracy(ranks_N, k=5) == 0.75


def test_rows_of_the_confusion_matrix_are_the_truth() -> None:
    """Two images of class 0, one of them taken for class 2."""
    confusion_CC = confusion_matrix(np.array([0, 0, 1]), np.array([0, 2, 1]), classes=3)

    assert confusion_CC.tolist() == [[1, 0, 1], [0, 1, 0], [0, 0, 0]]


@pytest.mark.parametrize(
    ("cells", "precision", "recall", "f1"),
    [
        ((15, 5, 2, 18), 15 / 17, 0.75, 30 / 37),
        ((20, 0, 8, 12), 20 / 28, 1.0, 40 / 48),
    ],
)
def test_per_class_values_of_two_known_matrices(
    cells: tuple[int, int, int, int], precision: float, recall: float, f1: float
) -> None:
    """TP, FN, FP, TN of two classifiers: .8824 .75 .8108 and .7143 1 .8333."""
    hits, missed, wrong, right = cells

    values = per_class(counts_of_confusion(np.array([[hits, missed], [wrong, right]])))

    assert values.precision_C[0] == pytest.approx(precision)
    assert values.recall_C[0] == pytest.approx(recall)
    assert values.f1_C[0] == pytest.approx(f1)
    assert values.support_C.tolist() == [20, 20]


def test_what_is_not_defined_is_nan() -> None:
    """A class without images has no recall; one that is never predicted has no precision."""
    values = per_class(counts_of_confusion(np.array([[3, 1, 0], [0, 0, 0], [2, 0, 0]])))

    assert np.isnan(values.recall_C).tolist() == [False, True, False]
    assert np.isnan(values.precision_C).tolist() == [False, False, True]
    assert values.f1_C.tolist() == [6 / 9, 0.0, 0.0]


def test_a_class_that_is_neither_there_nor_predicted_has_no_f1() -> None:
    """0 / 0."""
    assert np.isnan(per_class(counts_of_confusion(np.array([[2, 0], [0, 0]]))).f1_C[1])


def test_mean_per_class_recall_weighs_classes_alike() -> None:
    """98 of 100 and 1 of 2: (.98 + .5) / 2, though 99 of 102 are right."""
    assert mean_per_class_recall(counts_of_confusion(np.array([[98, 2], [1, 1]]))) == pytest.approx(
        0.74
    )


def test_mean_per_class_recall_leaves_out_classes_without_images() -> None:
    """A predicted class without images lowers the recall of others, not the number of classes."""
    assert (
        mean_per_class_recall(counts_of_confusion(np.array([[1, 1, 0], [0, 2, 0], [0, 0, 0]])))
        == 0.75
    )


def test_values_agree_with_scikit_learn() -> None:
    """Accuracy, top-5, balanced accuracy, precision, recall and F1 on random predictions."""
    from sklearn import metrics as reference

    generator = np.random.default_rng(5)
    scores_NC = generator.random((300, 8), np.float32)
    truth_N = generator.integers(0, 8, 300)
    predicted_N = scores_NC.argmax(axis=1)
    ranks_N = true_label_ranks(scores_NC, truth_N)
    confusion_CC = confusion_matrix(truth_N, predicted_N, classes=8)
    values = per_class(counts_of_confusion(confusion_CC))
    expected = reference.precision_recall_fscore_support(truth_N, predicted_N, zero_division=0.0)

    assert accuracy(ranks_N) == reference.accuracy_score(truth_N, predicted_N)
    assert accuracy(ranks_N, k=5) == reference.top_k_accuracy_score(truth_N, scores_NC, k=5)
    assert mean_per_class_recall(counts_of_confusion(confusion_CC)) == pytest.approx(
        reference.balanced_accuracy_score(truth_N, predicted_N)
    )
    np.testing.assert_array_equal(confusion_CC, reference.confusion_matrix(truth_N, predicted_N))
    for ours, theirs in zip(
        (values.precision_C, values.recall_C, values.f1_C, values.support_C), expected, strict=True
    ):
        np.testing.assert_allclose(ours, theirs)


def test_nothing_to_score_is_refused() -> None:
    """No images have no accuracy, and no class a mean recall."""
    with pytest.raises(UsageError, match="0 images"):
        accuracy(np.array([], np.int64))
    with pytest.raises(UsageError, match="k = 0"):
        accuracy(np.array([1]), k=0)
    with pytest.raises(UsageError, match="no class has an image"):
        mean_per_class_recall(counts_of_confusion(np.zeros((2, 2), np.int64)))


def test_shapes_and_classes_that_do_not_fit_are_refused() -> None:
    """A truth per image, and every class in range."""
    with pytest.raises(UsageError, match="shape"):
        true_label_ranks(np.zeros((2, 3), np.float32), np.array([0]))
    with pytest.raises(UsageError, match="truths"):
        confusion_matrix(np.array([0]), np.array([0, 1]), classes=2)
    with pytest.raises(UsageError, match="prediction is outside of 0 to 1"):
        confusion_matrix(np.array([0]), np.array([2]), classes=2)


def test_averages_and_correlation_are_those_of_scikit_learn() -> None:
    """Macro, weighted and micro; a class that is predicted only, and one that never occurs."""
    from sklearn.metrics import matthews_corrcoef, precision_recall_fscore_support

    generator = np.random.default_rng(3)
    truth_N, predicted_N = generator.integers(0, 4, 80), generator.integers(0, 5, 80)
    found_CC = confusion_matrix(truth_N, predicted_N, classes=6)
    found = averages(counts_of_confusion(found_CC))

    for kind in ("macro", "weighted"):
        theirs = precision_recall_fscore_support(
            truth_N, predicted_N, average=kind, zero_division=0
        )
        ours = [getattr(found, f"{kind}_{name}") for name in ("precision", "recall", "f1")]
        assert ours == pytest.approx(list(theirs[:3]))
    assert found.micro_f1 == pytest.approx(np.mean(truth_N == predicted_N))
    assert matthews_correlation(counts_of_confusion(found_CC)) == pytest.approx(
        matthews_corrcoef(truth_N, predicted_N)
    )


def test_a_classifier_that_always_says_the_same_has_no_correlation() -> None:
    """0 / 0 is NaN, not 0."""
    assert np.isnan(matthews_correlation(counts_of_confusion(np.array([[3, 0], [2, 0]]))))


def test_averages_of_no_images_are_refused() -> None:
    """There is nothing to weigh."""
    with pytest.raises(UsageError, match="no image"):
        averages(counts_of_confusion(np.zeros((2, 2), np.int64)))
