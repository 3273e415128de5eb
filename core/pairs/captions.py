"""The captions that a pair is trained and judged with, and when two of them are the same."""

from __future__ import annotations

import unicodedata

from core.pairs.pair import Pair


def captions_of(pair: Pair) -> tuple[str, ...]:
    """Return the captions of a pair; a class name serves where there are none."""
    if pair.captions:
        return pair.captions
    return (pair.label,) if pair.label else ()


def identity_of(text: str) -> str:
    """Return what makes two captions the same: NFC letters without case, single spaces."""
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())
