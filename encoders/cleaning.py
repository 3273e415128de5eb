"""Repair and folding of texts before they are tokenised, as CLIP's training did it.

Models are trained on cleaned texts, so a query has to be cleaned in the same way. The kinds and
their order of steps are open_clip's, against which they are tested.
"""

from __future__ import annotations

import html
import string

import ftfy

from encoders.spec import Cleaning

_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def clean_text(text: str, cleaning: Cleaning) -> str:
    """Return the text as the tokenizer of a model expects it.

    ``none`` changes nothing; ``whitespace`` repairs wrong decodings and HTML entities and joins
    runs of white space; ``lower`` also folds to lower case; ``canonicalize`` also drops
    punctuation.
    """
    if cleaning == "none":
        return text
    repaired = text if _needs_no_repair(text) else _repaired(text)
    if cleaning == "canonicalize":
        repaired = repaired.strip().replace("_", " ").translate(_NO_PUNCTUATION).lower()
        return " ".join(repaired.split())
    joined = " ".join(repaired.split())
    return joined.lower() if cleaning == "lower" else joined


def _needs_no_repair(text: str) -> bool:
    """Return whether there is nothing in a text that a repair could change: most queries."""
    return text.isascii() and text.isprintable() and "&" not in text


def _repaired(text: str) -> str:
    return html.unescape(html.unescape(ftfy.fix_text(text)))
