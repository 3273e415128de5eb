"""A head and a calibration as they are shown: with how many images have each label.

# K = examples, N = images of a calibration, C = labels
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.types import IdArray, JSONObject
from zeroshot.calibration_effect import calibration_effect, calibration_effect_object
from zeroshot.classifier import Classifier
from zeroshot.fitted_objects import calibration_object, head_object
from zeroshot.fitted_store import StoredCalibration, StoredHead
from zeroshot.fitting import with_head
from zeroshot.label_sets import LabelSet


def fitted_head(label_set: LabelSet, stored: StoredHead) -> JSONObject:
    """Return a head as answers give it, with the number of examples of each label."""
    counts = _counts(label_set, stored.examples.labels_K)
    return {"number": stored.number, **head_object(stored.fit), "counts": counts}


def fitted_calibration(
    label_set: LabelSet,
    stored: StoredCalibration,
    head: StoredHead | None,
    *,
    classifier: Classifier | None,
) -> JSONObject:
    """Return a calibration as answers give it.

    Args:
        label_set: whose it is.
        stored: the calibration.
        head: the one in force.
        classifier: of the texts alone, to say what the calibration changed; ``None``: not to.
    """
    in_force = stored.head == (0 if head is None else head.number)
    labels_N = np.nonzero(stored.images.holds_NC)[1]
    found: JSONObject = {
        "number": stored.number,
        **calibration_object(stored.calibration),
        "counts": _counts(label_set, labels_N),
        "in_force": in_force,
        "effect": None,
    }
    if classifier is not None and in_force:
        effect = calibration_effect(with_head(classifier, head), stored.images, stored.calibration)
        found["effect"] = calibration_effect_object(effect)
    return found


def _counts(label_set: LabelSet, labels_K: IdArray | Sequence[int]) -> JSONObject:
    """Return how many images have each label, those that have any."""
    counts_C = np.bincount(np.asarray(labels_K, np.int64), minlength=len(label_set.labels))
    return {
        label: int(count)
        for label, count in zip(label_set.labels, counts_C.tolist(), strict=True)
        if count
    }
