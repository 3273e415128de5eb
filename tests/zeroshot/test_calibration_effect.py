"""Before and after a calibration, on pictures whose scores are worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tests.fakes import FakeEncoder
from zeroshot.calibration import CalibrationOptions, LabelledImages, calibrate
from zeroshot.calibration_effect import calibration_effect, calibration_effect_object
from zeroshot.classifier import Classifier, build_classifier
from zeroshot.reliability import expected_calibration_error
from zeroshot.template_descriptions import TEMPLATE_DESCRIPTIONS
from zeroshot.templates import template_set, template_set_names


@pytest.fixture
def classifier() -> Classifier:
    """Return a classifier of two colours."""
    return build_classifier(FakeEncoder(), ["red", "blue"], template_set("name"))


def mixed(share: float) -> np.ndarray:
    """Return the unit embedding of a picture between red (1) and blue (0)."""
    red_D, blue_D = FakeEncoder().encode_texts(["red", "blue"])
    vector_D = share * red_D + (1 - share) * blue_D
    return np.asarray(vector_D / np.linalg.norm(vector_D), np.float32)


def images(shares: list[float], labels: list[int | None]) -> LabelledImages:
    """Return pictures with their labels, ``None`` for none of them."""
    holds_NC = np.zeros((len(labels), 2), np.bool_)
    for row, label in enumerate(labels):
        if label is not None:
            holds_NC[row, label] = True
    return LabelledImages(np.stack([mixed(share) for share in shares]), holds_NC)


def test_the_errors_are_those_of_the_fit(classifier: Classifier) -> None:
    """Accuracy and ECE before and after are what fitting the temperature measured."""
    given = images([0.52, 0.51, 0.49, 0.505, 0.48], [0, 0, 1, 1, 1])
    fitted = calibrate(classifier, given, CalibrationOptions())

    effect = calibration_effect(classifier, given, fitted)

    assert fitted.temperature is not None
    assert effect.before is not None
    assert effect.after is not None
    assert effect.accuracy == fitted.temperature.accuracy == 0.8
    assert effect.before.ece == pytest.approx(fitted.temperature.ece_before)
    assert effect.after.ece == pytest.approx(fitted.temperature.ece_after)
    assert sum(each.images for each in effect.after.bins) == 5


def test_without_rules_every_picture_gets_a_label(classifier: Classifier) -> None:
    """Nothing abstains, so the accuracy of the labelled is the accuracy."""
    given = images([0.52, 0.49, 0.505], [0, 1, 1])
    effect = calibration_effect(
        classifier, given, calibrate(classifier, given, CalibrationOptions())
    )

    assert effect.labelled == 1.0
    assert effect.accuracy_of_labelled == effect.accuracy == pytest.approx(2 / 3)
    assert effect.unknown_labelled is None


def test_rules_leave_pictures_of_nothing_without_a_label(classifier: Classifier) -> None:
    """A picture between both is as near to neither: the fitted rule lets it go."""
    given = images([1.0, 0.98, 0.0, 0.02, 0.5, 0.5], [0, 0, 1, 1, None, None])
    effect = calibration_effect(
        classifier, given, calibrate(classifier, given, CalibrationOptions(keep=1.0))
    )

    assert effect.labelled == 1.0
    assert effect.accuracy_of_labelled == 1.0
    assert effect.unknown_labelled == 0.0


def test_multi_judges_every_label_that_has_a_line(classifier: Classifier) -> None:
    """Two labels of four pictures are eight scores, before and after."""
    given = images([1.0, 0.9, 0.1, 0.0], [0, 0, 1, 1])
    effect = calibration_effect(
        classifier, given, calibrate(classifier, given, CalibrationOptions(mode="multi"))
    )

    assert effect.before is not None
    assert effect.after is not None
    assert sum(each.images for each in effect.before.bins) == 8
    assert sum(each.images for each in effect.after.bins) == 8
    assert effect.accuracy == 1.0


def test_multi_without_lines_has_nothing_to_compare(classifier: Classifier) -> None:
    """All pictures have the one label and none the other: no line, no diagram."""
    given = images([1.0, 0.9], [0, 0])
    effect = calibration_effect(
        classifier, given, calibrate(classifier, given, CalibrationOptions(mode="multi"))
    )

    assert (effect.before, effect.after) == (None, None)
    assert calibration_effect_object(effect)["before"] is None


def test_the_object_has_every_bin(classifier: Classifier) -> None:
    """Answers hold low, high, images, confidence and accuracy of each bin."""
    given = images([0.52, 0.49], [0, 1])
    effect = calibration_effect(
        classifier, given, calibrate(classifier, given, CalibrationOptions())
    )
    before = calibration_effect_object(effect)["before"]

    assert isinstance(before, dict)
    assert isinstance(before["bins"], list)
    assert isinstance(before["bins"][0], dict)
    assert set(before["bins"][0]) == {"low", "high", "images", "confidence", "accuracy"}


def test_the_error_over_all_labels_is_that_of_the_flat_scores(classifier: Classifier) -> None:
    """Mode multi: the calibration error of every score against whether its label holds."""
    given = images([1.0, 0.9, 0.1, 0.0], [0, 0, 1, 1])
    effect = calibration_effect(
        classifier, given, calibrate(classifier, given, CalibrationOptions(mode="multi"))
    )
    scores = classifier.classify(given.embeddings_ND, mode="multi")
    expected = expected_calibration_error(scores.scores_NC.ravel(), given.holds_NC.ravel())

    assert effect.before is not None
    assert effect.before.ece == pytest.approx(expected)


def test_every_template_set_is_described() -> None:
    """Who chooses one reads what it is for; nothing else is described."""
    assert set(TEMPLATE_DESCRIPTIONS) == set(template_set_names())
    assert all(text.strip() == text and text for text in TEMPLATE_DESCRIPTIONS.values())
