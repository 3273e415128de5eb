"""Labels and prompts from the options of a command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import UsageError

if TYPE_CHECKING:
    from zeroshot.templates import TemplateSet


def chosen_labels(
    *,
    labels: str | None,
    label_set: str | None,
    templates: str | None,
    gallery: Path | None,
) -> tuple[tuple[str, ...] | None, TemplateSet]:
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
    from zeroshot.label_sets import LabelSetStore
    from zeroshot.templates import DEFAULT_TEMPLATE_SET, template_set
    from zeroshot.texts import check_labels

    if labels is not None and label_set is not None:
        raise UsageError("--labels and --label-set are both given; use one of them")
    if label_set is not None:
        stored = LabelSetStore(_label_sets_folder(gallery)).get(label_set)
        return stored.labels, stored.templates if templates is None else template_set(templates)
    prompts = template_set(templates or DEFAULT_TEMPLATE_SET)
    return None if labels is None else check_labels(labels.split(",")), prompts


def _label_sets_folder(gallery: Path | None) -> Path:
    from cli.settings import default_gallery

    return (gallery or default_gallery()) / "label-sets"
