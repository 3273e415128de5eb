"""Labels and prompts of ``sightline evaluate``: from options, or from text files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cli.label_options import chosen_labels
from core.errors import UsageError

if TYPE_CHECKING:
    from evaluation.embeddings import Embeddings
    from zeroshot.labels import Label
    from zeroshot.templates import TemplateSet


def wanted_labels(
    labels: str | None, label_set: str | None, templates: str | None, gallery: Path | None
) -> tuple[Sequence[str | Label] | None, TemplateSet | None]:
    """Return the labels, ``None`` where no option names any, and the prompts to use with them.

    Args:
        labels: texts with commas between them, or a ``.txt`` file with one a line.
        label_set: ``name`` or ``name@version``.
        templates: name of a template set, or a ``.txt`` file with one template a line.
        gallery: where label sets are stored.

    Raises:
        UsageError: both labels and a label set, or a file that cannot be read.
        LabelSetError: labels or templates that cannot be used.
    """
    from zeroshot.templates import check_templates

    own = None
    if templates is not None and is_text_file(templates):
        own, templates = check_templates(lines_of(Path(templates))), None
    if labels is not None and is_text_file(labels):
        if label_set is not None:
            raise UsageError("--labels and --label-set are both given; use one of them")
        from zeroshot.texts import check_labels

        _, prompts = chosen_labels(
            labels=None, label_set=None, templates=templates, gallery=gallery
        )
        return check_labels(lines_of(Path(labels))), own or prompts
    chosen, prompts = chosen_labels(
        labels=labels, label_set=label_set, templates=templates, gallery=gallery
    )
    return chosen, own or prompts


def require_labels(
    embeddings: Embeddings,
    data: Path,
    labels: Sequence[str | Label] | None,
    templates: TemplateSet | None,
) -> None:
    """Refuse labels or templates that a file of embeddings does not hold.

    Raises:
        UsageError: they differ.
    """
    found = embeddings.prompts
    assert found is not None or data.suffix == ".npz"
    texts = None if labels is None else tuple(_text(label) for label in labels)
    if (
        found is None
        or (texts is not None and found.texts != texts)
        or (templates is not None and found.templates.digest != templates.digest)
    ):
        raise UsageError(
            f"{data} was embedded with other labels or templates; without a model only those can "
            "be scored: give --labels and --templates to sightline evaluate embed"
        )


def _text(label: str | Label) -> str:
    return label if isinstance(label, str) else label.text


def is_text_file(value: str) -> bool:
    """Return whether an option names a text file."""
    return value.endswith(".txt")


def lines_of(path: Path) -> list[str]:
    """Return the lines of a text file, stripped and in NFC; blank ones are left out.

    Raises:
        UsageError: it cannot be read.
    """
    from zeroshot.texts import tidy

    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text: {error}; save it as UTF-8") from error
    return [tidied for line in text.splitlines() if (tidied := tidy(line))]
