"""Learning from labelled images for a stored label set: examples make a head, others calibrate it.

What was given before counts too, so images can come in several parts.

# N = new images, K = images in all, D = embedding dimension
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from core.errors import UsageError
from core.types import FloatArray
from zeroshot.calibration import (
    Calibration,
    CalibrationOptions,
    LabelledImages,
    calibrate,
)
from zeroshot.classifier import Classifier, Mode
from zeroshot.few_shot import Examples, HeadChoice, fit_head
from zeroshot.fitted_store import FittedStore, StoredCalibration, StoredHead
from zeroshot.heads import TextHead
from zeroshot.label_sets import LabelSet

MAX_IMAGES = 10_000
"""Most examples of a head, and most images of a calibration."""

_SAME_COSINE = 1.0 - 1e-5
"""Embeddings as near as this are of the same image; a model in other batches differs by 1e-6."""
_ROWS_AT_ONCE = 1024


def with_head(classifier: Classifier, stored: StoredHead | None) -> Classifier:
    """Return the classifier with a fitted head in the place of the texts alone."""
    head = TextHead() if stored is None else stored.fit.head
    return dataclasses.replace(classifier, head=head)


def add_examples(
    store: FittedStore,
    label_set: LabelSet,
    classifier: Classifier,
    examples: Examples,
    *,
    kind: HeadChoice = "best",
    validation: Examples | None = None,
    replace: bool = False,
) -> StoredHead:
    """Fit a head on the examples given so far and these, and store it.

    An image that is given again takes its new label.

    Args:
        store: beside the label set.
        label_set: whose classifier it is.
        classifier: the texts alone.
        examples: new ones.
        kind: of the head; ``best`` is chosen on validation images.
        validation: to choose by; without them the examples are held out in turn.
        replace: forget the examples given before.

    Raises:
        UsageError: too few or too many examples, or a head that cannot be fitted on them.
        ConflictError: another process is fitting, and does not come to an end.
        StorageError: the folder cannot be written.
    """
    with store.fitting(label_set):
        known = None if replace else store.own_head(label_set, classifier.encoder_id)
        merged = examples
        if known is not None:
            old = known.examples
            kept_K = ~is_among(old.embeddings_KD, examples.embeddings_KD)
            merged = Examples(
                np.concatenate([old.embeddings_KD[kept_K], examples.embeddings_KD]),
                np.concatenate([old.labels_K[kept_K], examples.labels_K]),
            )
        _check_count(len(merged.labels_K))
        fit = fit_head(classifier, merged, validation=validation, kind=kind)
        return store.save_head(label_set, classifier.encoder_id, fit, merged)


def add_calibration(
    store: FittedStore,
    label_set: LabelSet,
    classifier: Classifier,
    images: LabelledImages,
    *,
    options: CalibrationOptions,
    replace: bool = False,
) -> StoredCalibration:
    """Calibrate the head in force on the images given so far and these, and store the result.

    Images that are examples of the head are left out: on those it is surer than on new ones.

    Args:
        store: beside the label set.
        label_set: whose classifier it is.
        classifier: the texts alone.
        images: new ones.
        options: what to fit.
        replace: forget the images given before.

    Raises:
        UsageError: no usable image, too many, or an option out of range.
        EncoderMismatchError: the head is of another encoder.
        StorageError: the folder cannot be written.
    """
    with store.fitting(label_set):
        head = store.head(label_set, classifier.encoder_id)
        known = (
            None if replace else store.calibration(label_set, classifier.encoder_id, options.mode)
        )
        merged = images
        if known is not None:
            kept_K = ~is_among(known.images.embeddings_ND, images.embeddings_ND)
            merged = LabelledImages(
                np.concatenate([known.images.embeddings_ND[kept_K], images.embeddings_ND]),
                np.concatenate([known.images.holds_NC[kept_K], images.holds_NC]),
            )
        merged, left_out = _without_examples(merged, head)
        _check_count(len(merged.embeddings_ND))
        fitted = calibrate(with_head(classifier, head), merged, options)
        number = 0 if head is None else head.number
        return store.save_calibration(
            label_set, classifier.encoder_id, _noting(fitted, left_out), merged, head=number
        )


def calibration_in_force(
    store: FittedStore, label_set: LabelSet, encoder_id: str, *, mode: Mode, head: int
) -> tuple[StoredCalibration | None, str | None]:
    """Return the calibration of a head (0: the texts alone), or ``None`` and why it is not used.

    Raises:
        ArtifactError: its folder is damaged.
    """
    stored = store.calibration(label_set, encoder_id, mode)
    if stored is None or stored.head == head:
        return stored, None
    return None, (
        f"calibration {stored.number} of {label_set.reference} was fitted with head {stored.head}, "
        f"and head {head} is in use: the scores are not calibrated; calibrate again"
    )


def is_among(images_KD: FloatArray, others_ND: FloatArray) -> NDArray[np.bool_]:
    """Return which unit embeddings are those of images among the others."""
    found_K = np.zeros(len(images_KD), np.bool_)
    for start in range(0, len(images_KD), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        cosines_KN = images_KD[rows] @ others_ND.T
        found_K[rows] = (cosines_KN > _SAME_COSINE).any(axis=1)
    return found_K


def _without_examples(
    images: LabelledImages, head: StoredHead | None
) -> tuple[LabelledImages, int]:
    if head is None or isinstance(head.fit.head, TextHead):
        return images, 0
    known_N = is_among(images.embeddings_ND, head.examples.embeddings_KD)
    rest = LabelledImages(images.embeddings_ND[~known_N], images.holds_NC[~known_N])
    return rest, int(known_N.sum())


def _noting(fitted: Calibration, left_out: int) -> Calibration:
    if not left_out:
        return fitted
    note = f"{left_out} images are examples of the head and were left out"
    return dataclasses.replace(fitted, warnings=(*fitted.warnings, note))


def _check_count(images: int) -> None:
    if images > MAX_IMAGES:
        raise UsageError(
            f"{images} images with the ones given before, the limit is {MAX_IMAGES}; replace them, "
            "or give fewer of each label",
            param="labels",
        )
