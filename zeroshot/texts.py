"""How labels and prompt templates are written: one form, so that equal texts compare equal."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from core.errors import LabelSetError

MAX_LABELS = 1000
"""Most labels of one classifier."""
MAX_LABEL_CHARS = 200
"""Longest label, in characters; the text towers read some 77 tokens."""

_REFUSED_CATEGORIES = frozenset({"Cc", "Cs"})


def tidy(text: str) -> str:
    """Return ``text`` in NFC with every run of white space as one space, stripped."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def check_labels(labels: Sequence[str]) -> tuple[str, ...]:
    """Return the labels, each tidied, in their order.

    Raises:
        LabelSetError: none or too many labels, one that is empty, too long or not text, or two that
            differ in nothing but case and white space.
    """
    if isinstance(labels, str):
        raise LabelSetError(
            f"labels = {labels!r}: expected a list of texts, got one text", param="labels"
        )
    if not 1 <= len(labels) <= MAX_LABELS:
        raise LabelSetError(
            f"{len(labels)} labels: expected 1 to {MAX_LABELS}; split a longer list",
            param="labels",
        )
    tidied = tuple(
        check_text(label, param=f"labels[{place}]") for place, label in enumerate(labels)
    )
    _refuse_duplicates(tidied)
    return tidied


def refuse_control_characters(text: str, *, param: str) -> None:
    """Refuse what no tokenizer can read: control characters and lone surrogates.

    Raises:
        LabelSetError: one occurs; the message shows the text escaped.
    """
    if any(unicodedata.category(character) in _REFUSED_CATEGORIES for character in text):
        raise LabelSetError(
            f"{text!a} holds control characters or half a character; remove them", param=param
        )


def check_text(text: str, *, param: str) -> str:
    """Return one label or other name of a label, tidied.

    Raises:
        LabelSetError: it is empty, too long, or holds control characters.
    """
    tidied = tidy(text)
    refuse_control_characters(tidied, param=param)
    if not tidied:
        raise LabelSetError(f"{param} is empty; remove it", param=param)
    if len(tidied) > MAX_LABEL_CHARS:
        raise LabelSetError(
            f"{param} has {len(tidied)} characters, the limit is {MAX_LABEL_CHARS}; shorten it",
            param=param,
        )
    return tidied


def _refuse_duplicates(labels: Sequence[str]) -> None:
    first_places: dict[str, int] = {}
    for place, label in enumerate(labels):
        first = first_places.setdefault(label.casefold(), place)
        if first != place:
            raise LabelSetError(
                f"labels {first} and {place} are the same: {labels[first]!r} and {label!r}; "
                "remove one, they would share the probability",
                param=f"labels[{place}]",
            )
