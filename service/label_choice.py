"""Which labels and prompts a request means, and what was fitted for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import UsageError
from core.types import JSONObject
from service.access import check_count
from service.engine import Engine
from service.schemas import ClassifyRequest
from service.settings import Settings
from zeroshot.calibration import Calibration
from zeroshot.classifier import Classifier
from zeroshot.fitted_store import StoredHead
from zeroshot.fitting import calibration_in_force, with_head
from zeroshot.label_sets import LabelSet
from zeroshot.labels import Label, check_label_list
from zeroshot.prompts import count_prompts
from zeroshot.templates import (
    DEFAULT_TEMPLATE_SET,
    TemplateSet,
    check_templates,
    template_set,
)


@dataclass(frozen=True, slots=True)
class LabelChoice:
    """The labels of one request."""

    labels: tuple[Label, ...]
    templates: TemplateSet
    stored: LabelSet | None = None
    """The label set they come from."""
    as_fitted: bool = False
    """Whether the prompts are those of the label set, for which alone its fits hold."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """What was fitted for a label set and is in force."""

    classifier: Classifier
    head: StoredHead | None = None
    calibration: Calibration | None = None
    warnings: tuple[str, ...] = ()

    def head_object(self) -> JSONObject | None:
        """Return what an answer says of the head."""
        if self.head is None:
            return None
        return {"number": self.head.number, "kind": self.head.fit.head.kind}


def label_choice(engine: Engine, fields: ClassifyRequest) -> LabelChoice:
    """Return the labels and prompts of a request.

    Raises:
        UsageError: neither or both of labels and label set, or labels that cannot be used.
        NotFoundError: no such label set.
    """
    if (fields.labels is None) == (fields.label_set is None):
        raise UsageError(
            "send exactly one of labels (a list of texts) and label_set (its name)",
            param="labels",
        )
    own = fields.templates is not None or fields.template_set is not None
    if fields.labels is not None:
        templates = chosen_templates(fields.templates, fields.template_set)
        return LabelChoice(check_label_list(fields.labels), templates)
    stored = engine.label_sets.get(fields.label_set or "")
    templates = chosen_templates(fields.templates, fields.template_set) if own else stored.templates
    as_fitted = templates.digest == stored.templates.digest and fields.ensemble == "embedding"
    return LabelChoice(stored.details, templates, stored, as_fitted)


def fitted_for(
    engine: Engine, choice: LabelChoice, classifier: Classifier, fields: ClassifyRequest
) -> Fitted:
    """Return what was fitted for the labels as this request uses them.

    Raises:
        EncoderMismatchError: the examples are of another encoder.
        ArtifactError: a fit on the disk is damaged.
    """
    if choice.stored is None:
        return Fitted(classifier)
    if not choice.as_fitted:
        warning = f"what was fitted for {choice.stored.reference} is not used with other prompts"
        return Fitted(classifier, warnings=(warning,))
    encoder_id = classifier.encoder_id
    head = engine.fitted.head(choice.stored, encoder_id) if fields.use_head else None
    stored, warning_or_none = calibration_in_force(
        engine.fitted,
        choice.stored,
        encoder_id,
        mode=fields.mode,
        head=0 if head is None else head.number,
    )
    warnings = [] if warning_or_none is None else [warning_or_none]
    if stored is not None and fields.crops > 1:
        warnings.append("the calibration was fitted with crops 1: the scores are not calibrated")
        stored = None
    calibration = None if stored is None else stored.calibration
    return Fitted(with_head(classifier, head), head, calibration, tuple(warnings))


def check_prompts(labels: Sequence[Label], templates: TemplateSet, settings: Settings) -> None:
    """Refuse a classifier that would take too many texts to build.

    Raises:
        UsageError: out of range (422).
    """
    check_count(
        count_prompts(labels, templates),
        limit=settings.max_prompts,
        what="prompts (labels times templates)",
        param="labels",
    )


def chosen_templates(templates: list[str] | None, name: str | None) -> TemplateSet:
    """Return the template set that a request asks for.

    Raises:
        UsageError: both ways at once, an unknown name, or a template without its one ``{}``.
    """
    if templates is not None and name is not None:
        raise UsageError(
            "both templates and template_set are given; send one of them", param="templates"
        )
    if templates is not None:
        return check_templates(templates)
    return template_set(name or DEFAULT_TEMPLATE_SET)
