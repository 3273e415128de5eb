"""Rules of zeroshot.heads and zeroshot.logistic, against naive references.

# N = images, C = labels, K = examples, D = embedding dimension
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from core.errors import UsageError
from tests.zeroshot.few_shot_worlds import classifier, pictures
from zeroshot.heads import ClassMeansHead, TipAdapterHead, blend, class_means
from zeroshot.logistic import fit_logistic

EXAMPLES = pictures((5, 3, 1))
IMAGES = pictures((2, 2, 2), seed=9).embeddings_KD


def test_class_means_move_the_texts_towards_the_examples() -> None:
    """(1 - w) W + w mean, normalised; each label by hand."""
    text_CD = classifier().matrix_CD
    for weight in (0.0, 0.3, 1.0):
        blended_CD = blend(text_CD, EXAMPLES.embeddings_KD, EXAMPLES.labels_K, weight=weight)
        for label in range(3):
            own_KD = EXAMPLES.embeddings_KD[EXAMPLES.labels_K == label].astype(np.float64)
            mean_D = own_KD.sum(axis=0) / np.linalg.norm(own_KD.sum(axis=0))
            expected_D = (1 - weight) * text_CD[label] + weight * mean_D
            expected_D /= np.linalg.norm(expected_D)
            np.testing.assert_allclose(blended_CD[label], expected_D, atol=1e-6)


def test_a_label_without_examples_keeps_its_text() -> None:
    """Also when everything else moves all the way."""
    text_CD = classifier().matrix_CD
    first = EXAMPLES.labels_K == 0

    blended_CD = blend(text_CD, EXAMPLES.embeddings_KD[first], EXAMPLES.labels_K[first], weight=1.0)

    np.testing.assert_array_equal(blended_CD[1:], text_CD[1:])
    assert not class_means(EXAMPLES.embeddings_KD[first], EXAMPLES.labels_K[first], classes=3)[
        1:
    ].any()


def test_examples_that_cancel_the_text_leave_it() -> None:
    """There is no direction half way between opposite vectors."""
    text_CD = np.array([[1.0, 0.0]], np.float32)

    blended_CD = blend(text_CD, -text_CD, np.array([0]), weight=0.5)

    np.testing.assert_array_equal(blended_CD, text_CD)


def test_the_class_means_head_is_a_classifier_with_other_vectors() -> None:
    """Logits, cosines and scores are those of the moved vectors."""
    matrix_CD = blend(classifier().matrix_CD, EXAMPLES.embeddings_KD, EXAMPLES.labels_K, weight=0.5)
    with_head = dataclasses.replace(classifier(), head=ClassMeansHead(matrix_CD))
    moved = dataclasses.replace(classifier(), matrix_CD=matrix_CD)

    for mode in ("single", "multi"):
        np.testing.assert_array_equal(
            with_head.classify(IMAGES, mode=mode).scores_NC,
            moved.classify(IMAGES, mode=mode).scores_NC,
        )


def test_tip_adapter_adds_the_mean_say_of_each_labels_examples() -> None:
    """Against three loops: s cos + alpha mean exp(-beta (1 - x . k))."""
    head = TipAdapterHead(EXAMPLES.embeddings_KD, EXAMPLES.labels_K, 3, alpha=2.0, beta=5.5)
    scores = dataclasses.replace(classifier(), head=head).classify(IMAGES)

    for n, image_D in enumerate(IMAGES.astype(np.float64)):
        for c in range(3):
            keys_KD = EXAMPLES.embeddings_KD[EXAMPLES.labels_K == c].astype(np.float64)
            say = sum(math.exp(-5.5 * (1 - float(image_D @ key_D))) for key_D in keys_KD)
            expected = 20.0 * image_D[c] + 2.0 * say / len(keys_KD)
            assert scores.logits_NC[n, c] == pytest.approx(expected, abs=1e-9)


def test_more_examples_give_a_label_no_head_start() -> None:
    """The same example ten times says what it says once."""
    once = TipAdapterHead(EXAMPLES.embeddings_KD[:1], np.array([0]), 3, alpha=3.0, beta=2.0)
    often = TipAdapterHead(
        np.repeat(EXAMPLES.embeddings_KD[:1], 10, axis=0), np.zeros(10, np.int64), 3, 3.0, 2.0
    )

    np.testing.assert_allclose(
        dataclasses.replace(classifier(), head=once).classify(IMAGES).logits_NC,
        dataclasses.replace(classifier(), head=often).classify(IMAGES).logits_NC,
    )


@pytest.mark.parametrize("classes", [2, 3])
def test_logistic_regression_has_scikit_learns_probabilities(classes: int) -> None:
    """Two labels share one line in scikit-learn, three have one each."""
    examples = pictures((8,) * classes)
    images_ND = IMAGES.astype(np.float64)
    model = LogisticRegression(C=10.0, max_iter=1000)
    model.fit(examples.embeddings_KD.astype(np.float64), examples.labels_K)

    head = fit_logistic(examples.embeddings_KD, examples.labels_K, classes=classes, c=10.0)
    logits_NC = head.logits(images_ND, np.zeros((len(IMAGES), classes)), 20.0)

    odds_NC = np.exp(logits_NC)
    np.testing.assert_allclose(
        odds_NC / odds_NC.sum(axis=1, keepdims=True), model.predict_proba(images_ND), atol=1e-5
    )


def test_logistic_regression_needs_an_example_of_each_label() -> None:
    """The message counts the labels without."""
    with pytest.raises(UsageError, match="1 of 3 labels have no example"):
        fit_logistic(EXAMPLES.embeddings_KD[:8], EXAMPLES.labels_K[:8], classes=3, c=1.0)


def test_logistic_regression_without_scikit_learn_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The server runs without it."""
    monkeypatch.setattr("zeroshot.logistic.scikit_learn_is_installed", lambda: False)

    with pytest.raises(UsageError, match=r"pip install 'sightline\[evaluation\]'"):
        fit_logistic(EXAMPLES.embeddings_KD, EXAMPLES.labels_K, classes=3, c=1.0)
