"""Values in the cells and fields of a source: captions, plain metadata, nothing."""

from __future__ import annotations

import ast
import contextlib
import json
import math
import re
from collections.abc import Mapping, Sequence

from core.errors import PairsError
from core.types import JSONObject

_TEXT_KEYS = ("raw", "caption", "text")
_HALVES = re.compile("[\ud800-\udfff]")


def texts_of(value: object, where: str) -> tuple[str, ...]:
    """Return the captions that a value holds: a text, a list of texts, or such a list as text.

    Entries of a list may be objects with ``raw``, ``caption`` or ``text``, as COCO has them.

    Raises:
        PairsError: it is something else, or text that is not valid Unicode.
    """
    if value is None or is_missing(value):
        return ()
    if isinstance(value, str) and value.isascii() and not value.startswith("["):
        text = value.strip()
        return (text,) if text else ()
    entries = _entries(value)
    texts = [_text_of(entry) for entry in entries] if entries is not None else [None]
    if any(text is None for text in texts):
        raise PairsError(
            f"{where}: captions must be text or a list of texts, not {str(value)[:80]!r}"
        )
    captions = tuple(text.strip() for text in texts if text and text.strip())
    if not all(is_unicode(text) for text in captions):
        raise PairsError(f"{where}: a caption holds half of a character; write it as UTF-8")
    return captions


def is_missing(value: object) -> bool:
    """Return whether a value is the NaN that stands for an empty cell."""
    return isinstance(value, float) and math.isnan(value)


def is_unicode(text: str) -> bool:
    """Return whether a text has no half of a surrogate pair, which no tokenizer can encode."""
    return text.isascii() or _HALVES.search(text) is None


def scalars_of(values: Mapping[str, object], names: Sequence[str]) -> JSONObject:
    """Return the values of ``names`` that are plain: text, numbers, true or false; none empty."""
    found: JSONObject = {}
    for name in names:
        value = values.get(name)
        if isinstance(value, float) and not math.isfinite(value):
            continue
        if isinstance(value, str | bool | int | float) and value != "":
            found[name] = value
    return found


def _entries(value: object) -> Sequence[object] | None:
    if isinstance(value, str):
        return _list_in_text(value) if value.lstrip().startswith(("['", '["')) else (value,)
    if isinstance(value, dict):
        return (value,)
    if not isinstance(value, list | tuple):
        return None
    return [entry for entry in value if entry is not None]


def _list_in_text(text: str) -> Sequence[object]:
    """Return the list that pandas or JSON wrote into a cell; any other text is itself."""
    for parse in (json.loads, ast.literal_eval):
        with contextlib.suppress(ValueError, SyntaxError):
            parsed = parse(text.strip())
            if isinstance(parsed, list) and all(isinstance(entry, str) for entry in parsed):
                return parsed
    return (text,)


def _text_of(entry: object) -> str | None:
    if isinstance(entry, dict):
        entry = next((entry[key] for key in _TEXT_KEYS if key in entry), None)
    return entry if isinstance(entry, str) else None
