"""Queries: weighted terms of text, image, item and vector, and their text form.

The text form, the same on the command line, over HTTP and in the page:

    a red car -toy 2:vintage +id:a17 -0.5:"black and white"

Words without an operator, wherever they stand, are together one text term of weight 1. A word that
begins with ``+``, ``-`` or a weight and a colon is a term of its own; so is a phrase in double
quotes. ``id:`` names an item of the gallery. A backslash takes the next character literally.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Literal

from core.errors import QueryError
from core.types import FloatArray
from index.filters import Filter

MOST_TERMS = 32
MOST_TEXT_CHARS = 4096
MOST_K = 1000
MOST_WEIGHT = 100.0

Mode = Literal["vector", "keyword", "hybrid"]

_WEIGHT = re.compile(r"(\d{1,9}(?:\.\d{0,9})?|\.\d{1,9}):")


@dataclass(frozen=True, slots=True)
class Term:
    """One part of a query: exactly one of text, image, item and vector."""

    text: str | None = None
    image: bytes | None = field(default=None, repr=False)
    """Bytes of an image file."""
    image_id: str | None = None
    """Id of an item of the gallery, which may itself be among the hits."""
    vector: FloatArray | None = field(default=None, repr=False, compare=False)
    """An embedding of the gallery's own model, of any length but zero."""
    weight: float = 1.0
    """Negative to steer away from the term."""
    embedded_image: bool = False
    """Whether the vector is that of a picture, embedded before the query was made."""

    def __post_init__(self) -> None:
        """Check that the term is one thing, with a usable weight.

        Raises:
            QueryError: no kind or two, an empty or overlong text, or a weight that is zero, not
                finite or beyond the limit.
        """
        kinds = (self.text, self.image, self.image_id, self.vector)
        if sum(kind is not None for kind in kinds) != 1:
            raise _error("a term is exactly one of text, image, image_id and vector")
        if self.text is not None:
            _check_text(self.text)
        if not math.isfinite(self.weight) or self.weight == 0 or abs(self.weight) > MOST_WEIGHT:
            raise _error(
                f"the weight of {self.label!r} is {self.weight}; give a number from "
                f"-{MOST_WEIGHT:g} to {MOST_WEIGHT:g} that is not 0"
            )

    @property
    def is_image(self) -> bool:
        """Whether the term is a picture, in whichever form."""
        return self.image is not None or self.image_id is not None or self.embedded_image

    @property
    def label(self) -> str:
        """How the term is named in explanations."""
        if self.text is not None:
            return self.text
        if self.image_id is not None:
            return f"id:{self.image_id}"
        return "image" if self.image is not None else "vector"


@dataclass(frozen=True, slots=True)
class Query:
    """What to search for."""

    terms: tuple[Term, ...]
    k: int = 10
    """Number of hits of one page, 1 to 1000."""
    filter: Filter | None = None
    cursor: str | None = None
    """Continues an earlier result of the same query."""
    min_confidence: float | None = None
    """Least calibrated probability of relevance; needs a model with a calibration."""
    mode: Mode = "vector"
    explain: bool = False

    def __post_init__(self) -> None:
        """Check the limits.

        Raises:
            QueryError: no terms or too many, k out of range, or an unknown mode.
        """
        if not self.terms:
            raise _error("the query is empty; give words, an image, an item id or a vector")
        if len(self.terms) > MOST_TERMS:
            raise _error(f"the query has {len(self.terms)} terms; the limit is {MOST_TERMS}")
        check_k(self.k)
        if self.mode not in {"vector", "keyword", "hybrid"}:
            raise _error(f"unknown mode {self.mode!r}; known are vector, keyword, hybrid")
        if self.min_confidence is not None and not 0 <= self.min_confidence <= 1:
            raise _error(f"min_confidence is {self.min_confidence}; give a number from 0 to 1")


def check_k(k: int, *, name: str = "k") -> int:
    """Return ``k`` if it is a number of hits that can be asked for.

    Raises:
        QueryError: it is not a whole number from 1 to 1000.
    """
    if isinstance(k, bool) or not isinstance(k, int) or not 1 <= k <= MOST_K:
        raise QueryError(
            f"{name} = {k}; give a whole number from 1 to {MOST_K}, and page on with the cursor",
            param=name,
        )
    return k


def parse_query(text: str) -> tuple[Term, ...]:
    """Return the terms of a query's text form, the words without operator first.

    Raises:
        QueryError: an operator without a word, a quote that is not closed, a weight out of range,
            nothing to look for, or more terms or text than the limits.
    """
    _check_length(text)
    words: list[str] = []
    terms: list[Term] = []
    position = _skip_spaces(text, 0)
    while position < len(text):
        weight, has_operator, position = _read_operator(text, position)
        is_id = text.startswith("id:", position)
        start = position + 3 * is_id
        value, quoted, position = _read_value(text, start)
        if not value.strip():
            raise _error(
                f"nothing follows {text[:position].rsplit(maxsplit=1)[-1]!r} at character "
                f"{start}; put the word right behind it, or a backslash before it to mean the sign"
            )
        if is_id:
            terms.append(Term(image_id=value, weight=weight))
        elif has_operator or quoted:
            terms.append(Term(text=value, weight=weight))
        else:
            words.append(value)
        position = _skip_spaces(text, position)
    if words:
        terms.insert(0, Term(text=" ".join(words)))
    if not terms:
        raise _error("the query is empty; give words, for example: a red car -toy")
    if len(terms) > MOST_TERMS:
        raise _error(f"the query has {len(terms)} terms; the limit is {MOST_TERMS}")
    return tuple(terms)


def _read_operator(text: str, position: int) -> tuple[float, bool, int]:
    """Read an optional sign and an optional weight; return weight, whether there was one, end."""
    start, sign = position, 1.0
    if text[position] in "+-":
        sign = -1.0 if text[position] == "-" else 1.0
        position += 1
    weight = _WEIGHT.match(text, position)
    if weight is not None:
        return sign * float(weight.group(1)), True, weight.end()
    return sign, position > start, position


def _read_value(text: str, position: int) -> tuple[str, bool, int]:
    """Read a word or a quoted phrase; return it, whether it was quoted, and its end."""
    quoted = text.startswith('"', position)
    opened, position = position, position + quoted
    read: list[str] = []
    while position < len(text):
        char = text[position]
        if char == "\\" and position + 1 < len(text):
            position += 1
            read.append(text[position])
        elif (quoted and char == '"') or (not quoted and char.isspace()):
            break
        else:
            read.append(char)
        position += 1
    if quoted and position == len(text):
        raise _error(
            f'the quote at character {opened + 1} is not closed; close it, or write \\" for a '
            "quotation mark"
        )
    return "".join(read), quoted, position + quoted


def _skip_spaces(text: str, position: int) -> int:
    while position < len(text) and text[position].isspace():
        position += 1
    return position


def _check_text(text: str) -> None:
    if not text.strip():
        raise _error("a text term is empty; give words")
    _check_length(text)


def _check_length(text: str) -> None:
    if len(text) > MOST_TEXT_CHARS:
        raise _error(f"the text has {len(text)} characters; the limit is {MOST_TEXT_CHARS}")
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise _error("the text holds half of a surrogate pair; send valid Unicode")


def _error(message: str) -> QueryError:
    return QueryError(message, param="query")
