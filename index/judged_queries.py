"""Judged queries: what was asked when hits were marked right or wrong, one form for equal queries.

A judged query is a text in the query language, a mode and a filter. A picture that somebody
uploaded is part of no judged query: nobody could ask it again.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from dataclasses import dataclass
from functools import cached_property
from typing import get_args

from core.artifacts import canonical_json
from core.errors import QueryError
from core.types import JSONValue
from index.filters import Filter, filter_json, parse_filter
from index.query import Mode, Query, Term, parse_query

_ID_DIGITS = 16


@dataclass(frozen=True)
class JudgedQuery:
    """A query that can be asked again, word for word."""

    text: str
    """In the query language, as it was written."""
    mode: Mode = "vector"
    filter: Filter | None = None

    @cached_property
    def terms(self) -> tuple[Term, ...]:
        """What is asked for.

        Raises:
            QueryError: the text is no query.
        """
        return parse_query(self.text)

    @cached_property
    def id(self) -> str:
        """Sixteen hex digits, the same for queries that ask for the same.

        The order of the terms, the white space between them, the Unicode form of their letters
        and the order of a filter's conditions do not matter.

        Raises:
            QueryError: the text is no query.
        """
        terms: list[JSONValue] = [*sorted(map(_part, self.terms))]
        same = canonical_json([self.mode, terms, _ordered(self.filter)])
        return hashlib.sha256(same).hexdigest()[:_ID_DIGITS]

    @property
    def caption(self) -> str | None:
        """The text where it could be the caption of a picture: one text and nothing else."""
        if len(self.terms) != 1 or self.mode == "keyword":
            return None
        (term,) = self.terms
        return term.text if term.weight > 0 else None

    @property
    def filter_text(self) -> str | None:
        """The filter as JSON, ``None`` where there is none."""
        return None if self.filter is None else json.dumps(filter_json(self.filter))

    def query(self, k: int) -> Query:
        """Return the search for its first ``k`` hits.

        Raises:
            QueryError: the text is no query, or k is out of range.
        """
        return Query(self.terms, k=k, filter=self.filter, mode=self.mode)


def judged_query(text: str, *, mode: Mode = "vector", filter: JSONValue = None) -> JudgedQuery:
    """Return a query that can be judged, its filter as JSON.

    Raises:
        QueryError: text, mode or filter that no search could answer.
    """
    # A filter without conditions selects everything, as none does.
    chosen = None if filter in (None, {}) else parse_filter(filter)
    found = JudgedQuery(text.strip(), mode, chosen)
    found.query(k=1)
    return found


def known_mode(name: object) -> Mode:
    """Return the mode of a name.

    Raises:
        QueryError: there is no such mode.
    """
    known: tuple[Mode, ...] = get_args(Mode)
    for mode in known:
        if mode == name:
            return mode
    raise QueryError(f"unknown mode {name!r}; known are {', '.join(known)}", param="mode")


def _part(term: Term) -> str:
    """Return a term as text; ids are taken as they are, letters of words in one Unicode form."""
    if term.image_id is not None:
        return json.dumps(["id", term.image_id, term.weight])
    return json.dumps(["text", unicodedata.normalize("NFC", term.text or ""), term.weight])


def _ordered(filter: Filter | None) -> str:
    """Return a filter as JSON text in which the order of parts that stand side by side is fixed."""
    return json.dumps(_sorted_parts(filter_json(filter)), sort_keys=True)


def _sorted_parts(value: JSONValue) -> JSONValue:
    if not isinstance(value, dict):
        return value
    for name in ("and", "or"):
        parts = value.get(name)
        if isinstance(parts, list):
            return {name: sorted(map(_sorted_parts, parts), key=_text_of)}
    if "not" in value:
        return {"not": _sorted_parts(value["not"])}
    return value


def _text_of(value: JSONValue) -> str:
    return json.dumps(value, sort_keys=True)
