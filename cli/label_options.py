"""Labels and prompts from the options of a command."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import UsageError

if TYPE_CHECKING:
    from zeroshot.label_sets import LabelSet
    from zeroshot.labels import Label
    from zeroshot.templates import TemplateSet


@dataclass(frozen=True, slots=True)
class LabelOptions:
    """The labels that a command is about."""

    labels: tuple[Label, ...]
    templates: TemplateSet
    stored: LabelSet | None
    """The label set that they are of."""


def chosen_labels(
    *,
    labels: str | None,
    label_set: str | None,
    templates: str | None,
    gallery: Path | None,
) -> tuple[tuple[Label, ...] | None, TemplateSet]:
    """Return the labels (``None`` where no option names any) and the prompts to use with them.

    Args:
        labels: texts with commas between them.
        label_set: ``name`` or ``name@version``, stored in the gallery or built in.
        templates: name of a template set; by default the label set's own, else ``imagenet7``.
        gallery: where label sets are stored.

    Raises:
        UsageError: both labels and a label set, or labels that cannot be used.
        NotFoundError: no such label set.
    """
    from zeroshot.templates import DEFAULT_TEMPLATE_SET, template_set

    if labels is None and label_set is None:
        return None, template_set(templates or DEFAULT_TEMPLATE_SET)
    found = label_options(labels=labels, label_set=label_set, templates=templates, gallery=gallery)
    return found.labels, found.templates


def label_options(
    *,
    labels: str | None,
    label_set: str | None,
    templates: str | None,
    gallery: Path | None,
) -> LabelOptions:
    """Return the labels of a command that needs some; arguments as of :func:`chosen_labels`.

    Raises:
        UsageError: neither or both of labels and a label set, or labels that cannot be used.
        NotFoundError: no such label set.
    """
    from zeroshot.label_sets import LabelSetStore
    from zeroshot.labels import check_label_list
    from zeroshot.templates import DEFAULT_TEMPLATE_SET, template_set

    if labels is not None and label_set is not None:
        raise UsageError("--labels and --label-set are both given; use one of them")
    if label_set is not None:
        stored = LabelSetStore(label_sets_folder(gallery)).get(label_set)
        own = stored.templates if templates is None else template_set(templates)
        return LabelOptions(stored.details, own, stored)
    if labels is None:
        raise UsageError("no labels; give --labels cat,dog or --label-set NAME")
    prompts = template_set(templates or DEFAULT_TEMPLATE_SET)
    return LabelOptions(check_label_list(labels.split(",")), prompts, None)


def label_sets_folder(gallery: Path | None) -> Path:
    """Return where the label sets of a gallery are."""
    from cli.settings import default_gallery

    return (gallery or default_gallery()) / "label-sets"
