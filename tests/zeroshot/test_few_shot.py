"""Rules of zeroshot.few_shot.

# N = images, C = labels, K = examples
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from core.errors import UsageError
from tests.zeroshot.few_shot_worlds import DIM, classifier, pictures
from zeroshot.few_shot import Examples, fit_head, fold_of_examples
from zeroshot.few_shot_candidates import Candidate, candidate_logits
from zeroshot.heads import ClassMeansHead, LogisticHead, TextHead, TipAdapterHead


def accuracy(fit_classifier: object, images: Examples) -> float:
    """Return how often the best label is the true one."""
    logits_NC = fit_classifier.classify(images.embeddings_KD).logits_NC  # type: ignore[attr-defined]  # a Classifier
    return float((np.argmax(logits_NC, axis=1) == images.labels_K).mean())


def test_a_head_is_taken_where_the_texts_know_little() -> None:
    """And it does better on new pictures too."""
    fit = fit_head(classifier(), pictures())
    new = pictures((60, 60, 60), seed=1)

    assert fit.head.kind != "text"
    assert fit.accuracy > fit.accuracy_text
    assert fit.validation == "5-fold"
    assert (fit.validation_images, fit.examples, fit.shots) == (24, 24, (8, 8))
    assert accuracy(dataclasses.replace(classifier(), head=fit.head), new) > accuracy(
        classifier(), new
    )


def test_the_texts_stay_where_no_head_is_better() -> None:
    """Pictures that lie on their texts: nothing is gained, and nothing is replaced."""
    fit = fit_head(classifier(), pictures(shift=0.0, noise=0.01))

    assert isinstance(fit.head, TextHead)
    assert fit.accuracy == fit.accuracy_text == 1.0
    assert (fit.better, fit.worse, fit.gain_interval) == (0, 0, (0.0, 0.0))


def test_labels_by_chance_never_replace_the_texts_silently() -> None:
    """What is chosen is no worse on validation, so its gain is never below zero."""
    for seed in range(5):
        examples = pictures((6, 6, 6), seed=seed)
        shuffled_K = np.random.default_rng(seed).permutation(examples.labels_K)
        fit = fit_head(classifier(), Examples(examples.embeddings_KD, shuffled_K))

        assert fit.accuracy >= fit.accuracy_text
        assert fit.better - fit.worse == round((fit.accuracy - fit.accuracy_text) * 18)
        assert fit.accuracy == fit.accuracies[fit.head.kind]


def test_one_picture_more_is_no_reason_to_leave_the_texts() -> None:
    """A head that alone is right on one picture wins by its standard error, on two by more."""
    examples = pictures((10, 10, 10), shift=0.0, noise=0.01)
    one_or_two = []
    for count in (1, 2):
        # Pictures that lie where only examples like them say what they show.
        odd_KD = np.zeros((5, DIM), np.float32)
        odd_KD[:, 1], odd_KD[:, 7] = 0.6, 0.8
        both = Examples(
            np.concatenate([examples.embeddings_KD, odd_KD]),
            np.concatenate([examples.labels_K, np.zeros(5, np.int64)]),
        )
        validation = Examples(
            np.concatenate([examples.embeddings_KD, odd_KD[:count]]),
            np.concatenate([examples.labels_K, np.zeros(count, np.int64)]),
        )
        one_or_two.append(fit_head(classifier(), both, validation=validation))

    assert [fit.head.kind == "text" for fit in one_or_two] == [True, False]
    assert max(one_or_two[0].accuracies.values()) == 1.0
    assert (one_or_two[1].better, one_or_two[1].worse) == (2, 0)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("text", TextHead),
        ("class_means", ClassMeansHead),
        ("tip_adapter", TipAdapterHead),
        ("logistic", LogisticHead),
    ],
)
def test_a_named_kind_is_taken_whatever_it_does(kind: str, expected: type) -> None:
    """Its gain is told all the same, here a loss or nothing."""
    fit = fit_head(
        classifier(),
        pictures(shift=0.0, noise=0.3),
        kind=kind,  # type: ignore[arg-type]  # from a list of texts
    )

    assert isinstance(fit.head, expected)
    assert fit.accuracy == fit.accuracies[kind]


def test_the_parameters_are_the_best_on_the_images_that_are_given_to_choose_by() -> None:
    """No weight of the grid labels more of them rightly; the examples alone make the head."""
    examples, validation = pictures((2, 2, 2)), pictures((20, 20, 20), seed=5)
    fit = fit_head(classifier(), examples, validation=validation, kind="class_means")

    def right(weight: float) -> int:
        logits_NC = candidate_logits(
            Candidate("class_means", {"weight": weight}),
            classifier(),
            examples.embeddings_KD,
            examples.labels_K,
            validation.embeddings_KD,
        )
        return int((np.argmax(logits_NC, axis=1) == validation.labels_K).sum())

    assert fit.validation == "given"
    assert fit.validation_images == 60
    assert right(fit.parameters["weight"]) == max(right(w / 10) for w in range(1, 11))
    assert fit.accuracy == pytest.approx(right(fit.parameters["weight"]) / 60)


def test_the_interval_is_the_bootstrap_of_the_paired_difference() -> None:
    """It holds the gain, and its width falls with more images."""
    few = fit_head(classifier(), pictures(), validation=pictures((10, 10, 10), seed=2))
    many = fit_head(classifier(), pictures(), validation=pictures((200, 200, 200), seed=2))

    for fit in (few, many):
        low, high = fit.gain_interval
        assert low <= fit.accuracy - fit.accuracy_text <= high
    assert (
        many.gain_interval[1] - many.gain_interval[0] < few.gain_interval[1] - few.gain_interval[0]
    )


def test_labels_may_have_unequal_numbers_of_examples_or_none() -> None:
    """Logistic regression is left out then, and the reason is told."""
    fit = fit_head(classifier(), pictures((7, 2)))

    assert fit.shots == (0, 7)
    assert fit.skipped == {"logistic": "1 of 3 labels have fewer than 2 examples"}
    with pytest.raises(UsageError, match="logistic cannot be fitted: 1 of 3"):
        fit_head(classifier(), pictures((7, 2)), kind="logistic")


def test_without_scikit_learn_the_others_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the answer says what was not, with the remedy."""
    monkeypatch.setattr("zeroshot.few_shot.scikit_learn_is_installed", lambda: False)

    fit = fit_head(classifier(), pictures())

    assert "pip install" in fit.skipped["logistic"]
    assert "logistic" not in fit.accuracies


def test_the_folds_spread_the_examples_of_each_label() -> None:
    """No fold has two examples more of a label than another; a seed gives the same folds."""
    labels_K = np.repeat([0, 1, 2], [10, 7, 1])
    folds_K = fold_of_examples(labels_K, folds=5, seed=3)

    for label in range(3):
        counts = np.bincount(folds_K[labels_K == label], minlength=5)
        assert counts.max() - counts.min() <= 1
    np.testing.assert_array_equal(folds_K, fold_of_examples(labels_K, folds=5, seed=3))


@pytest.mark.parametrize(
    ("examples", "message"),
    [
        (pictures((1,)), "cannot be held out"),
        (Examples(np.empty((0, DIM), np.float32), np.empty(0, np.int64)), "0 example images"),
        (Examples(pictures((2,)).embeddings_KD, np.array([0])), "2 example images and 1 labels"),
        (Examples(pictures((2,)).embeddings_KD, np.array([0, 3])), "outside of 0 to 2"),
    ],
)
def test_examples_that_make_no_head_are_refused(examples: Examples, message: str) -> None:
    """Too few, or labels that the classifier does not have."""
    with pytest.raises(UsageError, match=message):
        fit_head(classifier(), examples)


def test_no_validation_images_are_refused() -> None:
    """An empty set would choose anything."""
    none = Examples(np.empty((0, DIM), np.float32), np.empty(0, np.int64))

    with pytest.raises(UsageError, match="no validation images"):
        fit_head(classifier(), pictures(), validation=none)


def test_a_head_is_fitted_beside_the_texts_alone() -> None:
    """Not on top of another head."""
    with_head = dataclasses.replace(classifier(), head=ClassMeansHead(classifier().matrix_CD))

    with pytest.raises(UsageError, match="beside the texts alone"):
        fit_head(with_head, pictures())
