"""Labels from a file: one a line, or JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import LabelSetError

if TYPE_CHECKING:
    from zeroshot.labels import Label

_FIELDS = frozenset({"text", "aliases", "prompts", "background"})


def read_labels(path: Path) -> list[Label]:
    """Return the labels of a ``.json`` list of texts and objects, or of any file with one a line.

    Raises:
        LabelSetError: not UTF-8, not such JSON, or an object with other fields.
    """
    from zeroshot.labels import Label

    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix != ".json":
            return [Label(line) for line in text.splitlines() if line.strip()]
        given = json.loads(text)
    except ValueError as error:
        raise LabelSetError(f"{path} cannot be read: {error}") from error
    if not isinstance(given, list):
        raise LabelSetError(f"{path}: expected a JSON list, got {type(given).__name__}")
    return [_label(item, f"{path}, label {place}") for place, item in enumerate(given)]


def _label(item: object, where: str) -> Label:
    from zeroshot.labels import Label

    if isinstance(item, str):
        return Label(item)
    if not isinstance(item, dict) or not item.keys() <= _FIELDS or not item.get("text"):
        raise LabelSetError(
            f"{where}: expected a text or an object of {', '.join(sorted(_FIELDS))}"
        )
    return Label(
        text=str(item["text"]),
        aliases=tuple(_texts(item, "aliases", where)),
        prompts=tuple(_texts(item, "prompts", where)),
        background=item.get("background") is True,
    )


def _texts(item: dict[str, object], field: str, where: str) -> list[str]:
    values = item.get(field, [])
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise LabelSetError(f"{where}: {field} = {values!r}: expected a list of texts")
    return values
