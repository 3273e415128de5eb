"""A classifier with what was fitted for its label set: the head and calibration in force."""

from __future__ import annotations

from dataclasses import dataclass

from core.types import JSONObject
from zeroshot.calibration import Calibration
from zeroshot.classifier import Classifier, Mode
from zeroshot.fitted_store import FittedStore, StoredHead
from zeroshot.fitting import calibration_in_force, with_head
from zeroshot.label_sets import LabelSet


@dataclass(frozen=True, slots=True)
class LabelUse:
    """How a request uses a stored label set."""

    label_set: LabelSet
    template_digest: str
    """Of the templates that the request asks for."""
    mode: Mode = "single"
    crops: int = 1
    use_head: bool = True


@dataclass(frozen=True, slots=True)
class FittedClassifier:
    """What answers a request."""

    classifier: Classifier
    head: StoredHead | None = None
    calibration: Calibration | None = None
    warnings: tuple[str, ...] = ()

    def head_object(self) -> JSONObject | None:
        """Return what an answer says of the head."""
        if self.head is None:
            return None
        return {"number": self.head.number, "kind": self.head.fit.head.kind}


def fitted_classifier(
    store: FittedStore, classifier: Classifier, use: LabelUse
) -> FittedClassifier:
    """Return the classifier of a label set with its fits, where they hold for this use.

    Head and calibration are fitted for the label set's own templates and the ensemble
    ``embedding``, the calibration also for one view of each image; each is left out otherwise, and
    a warning says so.

    Raises:
        EncoderMismatchError: the examples are of another encoder.
        ArtifactError: a fit on the disk is damaged.
    """
    reference, encoder_id = use.label_set.reference, classifier.encoder_id
    own_templates = use.template_digest == use.label_set.templates.digest
    if not own_templates or classifier.ensemble != "embedding":
        warning = f"what was fitted for {reference} is not used with other prompts"
        return FittedClassifier(classifier, warnings=(warning,))
    head = store.head(use.label_set, encoder_id) if use.use_head else None
    number = 0 if head is None else head.number
    stored, warning_or_none = calibration_in_force(
        store, use.label_set, encoder_id, mode=use.mode, head=number
    )
    warnings = [] if warning_or_none is None else [warning_or_none]
    if stored is not None and use.crops > 1:
        warnings.append("the calibration was fitted with crops 1: the scores are not calibrated")
        stored = None
    if head is not None and use.mode == "multi" and head.fit.head.kind != "class_means":
        warnings.append(f"the head {head.fit.head.kind} answers mode single alone")
    calibration = None if stored is None else stored.calibration
    return FittedClassifier(with_head(classifier, head), head, calibration, tuple(warnings))
