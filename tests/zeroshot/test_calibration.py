"""Rules of zeroshot.calibration and zeroshot.labelling.

# N = images, C = labels
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from core.errors import ConflictError, UsageError
from core.types import FloatArray
from tests.zeroshot.few_shot_worlds import DIM, LABELS, classifier, pictures, unit
from zeroshot.abstention import Abstain
from zeroshot.calibration import Calibration, CalibrationOptions, LabelledImages, calibrate
from zeroshot.labelling import LabellingOptions, image_labels_object, label_images


def labelled(
    shots: int = 30, *, unknown: int = 0, seed: int = 0, noise: float = 0.15
) -> LabelledImages:
    """Return pictures that the texts mostly know, and some of nothing they know."""
    known = pictures((shots,) * 3, shift=0.0, noise=noise, seed=seed)
    holds_NC = np.eye(3, dtype=np.bool_)[known.labels_K]
    others_MD = strangers(unknown, seed=seed)
    return LabelledImages(
        np.concatenate([known.embeddings_KD, others_MD]),
        np.pad(holds_NC, ((0, unknown), (0, 0))),
    )


def strangers(count: int, *, seed: int = 0) -> FloatArray:
    """Return pictures that lie on the axes 6 to 11."""
    drawn_MD = 0.1 * np.random.default_rng(seed + 100).standard_normal((count, DIM))
    drawn_MD[:, 6:] += 0.5
    return unit(drawn_MD.reshape(-1, DIM)) if count else np.empty((0, DIM), np.float32)


def calibrated(**options: object) -> Calibration:
    """Return the calibration of 90 known and 40 unknown pictures."""
    return calibrate(classifier(), labelled(unknown=40), CalibrationOptions(**options))  # type: ignore[arg-type]  # of a test


def test_a_calibration_says_what_it_was_fitted_on() -> None:
    """Images, unknown ones, errors before and after, and on images that were held out."""
    found = calibrated()

    assert (found.known, found.unknown) == (90, 40)
    assert found.temperature is not None
    assert found.temperature.images == 90
    assert found.temperature.ece_after < found.temperature.ece_before
    assert found.ece_held_out is not None
    assert found.ece_held_out < found.temperature.ece_before
    assert found.conformal is not None
    assert len(found.conformal.scores_N) == 90


def test_calibrated_scores_are_as_sure_as_they_are_right() -> None:
    """On new pictures, of a model whose logit scale is far too high."""
    too_sure = classifier(scale=100.0)
    found = calibrate(too_sure, labelled(100, noise=0.3), CalibrationOptions())
    new = labelled(200, noise=0.3, seed=7)
    options = LabellingOptions(top_k=1)

    raw = label_images(too_sure, new.embeddings_ND, options).images
    fitted = label_images(too_sure, new.embeddings_ND, options, calibration=found).images

    truth = [LABELS[c] for c in np.argmax(new.holds_NC, axis=1)]
    right = np.mean([image.label == t for image, t in zip(raw, truth, strict=True)])
    assert np.mean([image.top[0].score for image in raw]) - right > 0.1
    assert np.mean([image.top[0].score for image in fitted]) == pytest.approx(right, abs=0.05)
    assert [image.label for image in raw] == [image.label for image in fitted]
    assert not any(image.calibrated for image in raw)
    assert all(image.calibrated for image in fitted)


def test_the_fitted_rule_is_in_force_where_the_request_names_none() -> None:
    """Most new strangers get no label, most new pictures of the labels one."""
    found = calibrated()
    options = LabellingOptions()

    strange = label_images(classifier(), strangers(100, seed=5), options, calibration=found).images
    known = label_images(
        classifier(), labelled(40, seed=5).embeddings_ND, options, calibration=found
    ).images
    always = label_images(
        classifier(),
        strangers(100, seed=5),
        LabellingOptions(abstain=Abstain()),
        calibration=found,
    ).images

    assert np.mean([image.label is None for image in strange]) > 0.9
    assert np.mean([image.label is not None for image in known]) > 0.85
    assert {image.reason for image in strange} - {None} == {found.rules[0].name}
    assert all(image.label is not None for image in always)


def test_a_label_gets_its_own_least_score_for_a_precision() -> None:
    """On the images that it was fitted on, what is labelled so is right often enough."""
    found = calibrated(target_precision=0.97)
    images = labelled(unknown=40)

    answers = label_images(
        classifier(),
        images.embeddings_ND,
        LabellingOptions(abstain=Abstain(label_scores=found.abstain.label_scores)),
        calibration=found,
    ).images

    given = {answer.label for answer in answers} - {None}
    assert given == {label for label, least in found.label_scores.items() if least is not None}
    assert given
    for column, label in enumerate(LABELS):
        rows = [row for row, answer in enumerate(answers) if answer.label == label]
        assert images.holds_NC[rows, column].sum() >= 0.97 * len(rows)
    assert "label_score" in {answer.reason for answer in answers}


def test_prediction_sets_hold_the_true_label_as_promised() -> None:
    """600 new pictures, at most a tenth missed; background labels are in no set."""
    new = labelled(200, seed=11)
    truth = [classifier().labels[c] for c in np.argmax(new.holds_NC, axis=1)]

    answers = label_images(
        classifier(), new.embeddings_ND, LabellingOptions(alpha=0.1), calibration=calibrated()
    ).images
    with_background = label_images(
        classifier(background=frozenset({2})),
        new.embeddings_ND,
        LabellingOptions(alpha=0.1),
        calibration=calibrated(),
    ).images

    held = [t in (a.prediction_set or ()) for t, a in zip(truth, answers, strict=True)]
    # 90 calibration images: the coverage of one calibration spreads by .03.
    assert np.mean(held) > 0.9 - 3 * 0.035
    assert all("bird" not in (answer.prediction_set or ()) for answer in with_background)


def test_the_sets_do_not_depend_on_a_temperature() -> None:
    """The promise is for the model's own probabilities, before anything was fitted."""
    found, images_ND = calibrated(), labelled(20, seed=3).embeddings_ND

    plain = label_images(classifier(), images_ND, LabellingOptions(alpha=0.2), calibration=found)
    hot = label_images(
        classifier(), images_ND, LabellingOptions(alpha=0.2, temperature=9.0), calibration=found
    )

    assert [i.prediction_set for i in plain.images] == [i.prediction_set for i in hot.images]
    assert not any(image.calibrated for image in hot.images)


def test_too_few_images_promise_nothing_and_say_so() -> None:
    """Three images: at .1 the set is all labels."""
    found = calibrate(classifier(), labelled(1), CalibrationOptions())

    answer = label_images(
        classifier(), strangers(1), LabellingOptions(alpha=0.1), calibration=found
    )

    assert set(answer.images[0].prediction_set or ()) == {"cat", "dog", "bird"}
    assert "3 calibration images promise nothing at alpha 0.1" in answer.warnings[0]


def test_labels_that_share_a_threshold_are_named() -> None:
    """Per label, where one has too few images."""
    images = labelled(30)
    keep_N = np.argmax(images.holds_NC, axis=1) < 2
    keep_N[-2:] = True
    few = LabelledImages(images.embeddings_ND[keep_N], images.holds_NC[keep_N])
    found = calibrate(classifier(), few, CalibrationOptions(per_label=True))

    answer = label_images(
        classifier(), strangers(1), LabellingOptions(alpha=0.1), calibration=found
    )

    assert answer.warnings == (
        "1 labels have fewer than 9 calibration images and share the threshold of all: bird",
    )


def test_sets_are_refused_where_nothing_promises_them() -> None:
    """Not calibrated, or mode multi."""
    with pytest.raises(ConflictError, match="calibrate it") as refused:
        label_images(classifier(), strangers(1), LabellingOptions(alpha=0.1))
    with pytest.raises(UsageError, match="mode single"):
        label_images(classifier(), strangers(1), LabellingOptions(mode="multi", alpha=0.1))

    assert refused.value.code == "not_calibrated"


def test_mode_multi_gets_a_line_for_each_label() -> None:
    """The probability of a label is then right on average, and marked so."""
    images = labelled(40, unknown=60)
    found = calibrate(classifier(), images, CalibrationOptions(mode="multi"))

    new = labelled(100, unknown=100, seed=4)
    scores_NC = classifier().classify(new.embeddings_ND, mode="multi", platt=found.platt).scores_NC
    answers = label_images(
        classifier(), new.embeddings_ND, LabellingOptions(mode="multi"), calibration=found
    ).images

    for column in range(3):
        assert scores_NC[:, column].mean() == pytest.approx(
            new.holds_NC[:, column].mean(), abs=0.06
        )
    assert all(answer.calibrated for answer in answers)
    assert found.temperature is None


def test_a_label_without_a_line_is_not_calibrated() -> None:
    """The warning names it, and the answer marks it where it is the best one."""
    images = labelled(10)
    rows = np.argmax(images.holds_NC, axis=1) < 2
    found = calibrate(
        classifier(),
        LabelledImages(images.embeddings_ND[rows], images.holds_NC[rows]),
        CalibrationOptions(mode="multi"),
    )
    bird_1D = np.eye(DIM, dtype=np.float32)[2:3]

    answer = label_images(classifier(), bird_1D, LabellingOptions(mode="multi"), calibration=found)

    assert "1 labels, which stay uncalibrated: bird" in found.warnings[0]
    assert answer.images[0].top[0].label == "bird"
    assert not answer.images[0].calibrated


def test_a_background_label_that_wins_is_the_reason() -> None:
    """No label is given, and the ranking shows what won."""
    with_background = classifier(background=frozenset({1}))
    dog_1D = np.eye(DIM, dtype=np.float32)[1:2]

    entry = image_labels_object(
        label_images(with_background, dog_1D, LabellingOptions(top_k=1)).images[0]
    )

    assert (entry["label"], entry["abstained"], entry["reason"]) == (None, True, "background")
    assert entry["labels"] == [{"label": "dog", "score": 1.0, "cosine": 1.0, "background": True}]


def test_images_that_cannot_calibrate_are_refused() -> None:
    """No label at all, two labels in mode single, wrong shapes, shares out of range."""
    images = labelled(2)
    nothing = dataclasses.replace(images, holds_NC=np.zeros_like(images.holds_NC))
    double = dataclasses.replace(images, holds_NC=np.ones_like(images.holds_NC))
    narrow = dataclasses.replace(images, holds_NC=images.holds_NC[:, :2])

    for wrong, message in ((nothing, "no image has"), (double, "several"), (narrow, "shape")):
        with pytest.raises(UsageError, match=message):
            calibrate(classifier(), wrong, CalibrationOptions())
    with pytest.raises(UsageError, match="keep = 0"):
        calibrate(classifier(), images, CalibrationOptions(keep=0.0))
