"""Which labels and prompts a request means, and what was fitted for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import UsageError
from service.access import check_count
from service.engine import Engine
from service.schemas import ClassifyRequest
from service.settings import Settings
from zeroshot.classifier import Classifier
from zeroshot.fitted_classifier import FittedClassifier, LabelUse, fitted_classifier
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
    return LabelChoice(stored.details, templates, stored)


def fitted_for(
    engine: Engine, choice: LabelChoice, classifier: Classifier, fields: ClassifyRequest
) -> FittedClassifier:
    """Return what was fitted for the labels as this request uses them.

    Raises:
        EncoderMismatchError: the examples are of another encoder.
        ArtifactError: a fit on the disk is damaged.
    """
    if choice.stored is None:
        return FittedClassifier(classifier)
    use = LabelUse(
        choice.stored, choice.templates.digest, fields.mode, fields.crops, fields.use_head
    )
    return fitted_classifier(engine.fitted, classifier, use)


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
