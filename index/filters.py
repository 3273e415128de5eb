"""Filters over ids, captions and metadata, parsed from JSON.

    {"source": "shop", "year": {"gte": 2020}}            both must hold
    {"or": [{"label": {"in": ["cat", "dog"]}}, {"not": {"tags": "blurred"}}]}

docs/gallery.md holds the whole grammar. Every filter is two-valued: an item satisfies it or its
negation. A list satisfies a condition if one of its elements does, a missing field satisfies none
(``ne`` and ``null`` excepted), and values of another type than the condition's never match.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from core.errors import QueryError
from core.types import JSONValue

MOST_DEPTH = 16
MOST_CONDITIONS = 256
MOST_CHOICES = 1000
MOST_TEXT_CHARS = 4096
MOST_FIELD_CHARS = 128
ITEM_FIELDS = ("@id", "@caption", "@source")
"""Fields of the item itself; every other name is a metadata field."""

Operator = Literal["eq", "ne", "in", "gt", "gte", "lt", "lte", "exists", "prefix"]
Scalar: TypeAlias = "bool | int | float | str | None"

_OPERATORS: tuple[Operator, ...] = get_args(Operator)
_ORDERS = frozenset({"gt", "gte", "lt", "lte"})
_INT64 = range(-(2**63), 2**63)


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison of one field."""

    field: str
    operator: Operator
    value: Scalar | tuple[Scalar, ...]
    """A scalar; a tuple of them for ``in``; a truth value for ``exists``."""


@dataclass(frozen=True, slots=True)
class All:
    """Every part must hold; without parts it holds."""

    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one part must hold; without parts it does not hold."""

    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part must not hold."""

    part: Filter


Filter: TypeAlias = Condition | All | AnyOf | Not


def parse_filter(value: JSONValue) -> Filter:
    """Return the filter that a JSON object states.

    Raises:
        QueryError: an unknown operator, a value that it cannot compare, a field name that cannot
            be looked up, or more depth, conditions or choices than the limits.
    """
    parsed = _parse(value, depth=1)
    count = _count(parsed)
    if count > MOST_CONDITIONS:
        raise _error(f"the filter has {count} conditions; the limit is {MOST_CONDITIONS}")
    return parsed


def filter_json(filter: Filter | None) -> JSONValue:
    """Return a filter as JSON that ``parse_filter`` reads back: one form for equal filters."""
    if filter is None:
        return None
    if isinstance(filter, Condition):
        value = filter.value
        operand: JSONValue = list(value) if isinstance(value, tuple) else value
        return {filter.field: {filter.operator: operand}}
    if isinstance(filter, Not):
        return {"not": filter_json(filter.part)}
    return {"and" if isinstance(filter, All) else "or": [filter_json(p) for p in filter.parts]}


def check_field(name: str) -> str:
    """Return ``name`` if a filter can look it up.

    Raises:
        QueryError: it is empty, too long, or holds quotes, backslashes or controls.
    """
    bad = not name or len(name) > MOST_FIELD_CHARS or any(c in '"\\' or c < " " for c in name)
    if bad or "" in name.split(".") or not _is_encodable(name):
        raise _error(
            f"{name[:40]!r} cannot name a field: 1 to {MOST_FIELD_CHARS} characters without quotes,"
            " backslashes and controls; dots separate the levels of nested objects"
        )
    if name.startswith("@") and name not in ITEM_FIELDS:
        raise _error(f"unknown field {name!r}; fields of the item are {', '.join(ITEM_FIELDS)}")
    return name


def _parse(value: JSONValue, *, depth: int) -> Filter:
    if depth > MOST_DEPTH:
        raise _error(f"the filter is nested deeper than {MOST_DEPTH} levels")
    if not isinstance(value, dict):
        raise _error(f"a filter is a JSON object, not {_shown(value)}")
    parts: list[Filter] = []
    for key, inner in value.items():
        if key in {"and", "or"}:
            if not isinstance(inner, list):
                raise _error(f"{key!r} takes a list of filters, not {_shown(inner)}")
            combined = tuple(_parse(part, depth=depth + 1) for part in inner)
            parts.append(All(combined) if key == "and" else AnyOf(combined))
        elif key == "not":
            parts.append(Not(_parse(inner, depth=depth + 1)))
        else:
            parts += _parse_field(check_field(key), inner)
    return parts[0] if len(parts) == 1 else All(tuple(parts))


def _parse_field(field: str, value: JSONValue) -> list[Filter]:
    if isinstance(value, list):
        raise _error(f'{field!r} is compared with a list; write {{"in": [...]}}')
    if not isinstance(value, dict):
        return [Condition(field, "eq", _checked_value(field, "eq", value))]
    if not value:
        raise _error(f"{field!r} has no operator; known are {', '.join(_OPERATORS)}")
    return [_parse_operator(field, operator, operand) for operator, operand in value.items()]


def _parse_operator(field: str, name: str, operand: JSONValue) -> Filter:
    operator = next((known for known in _OPERATORS if known == name), None)
    if operator is None:
        raise _error(f"unknown operator {name!r} of {field!r}; known are {', '.join(_OPERATORS)}")
    if operator == "in":
        if not isinstance(operand, list) or len(operand) > MOST_CHOICES:
            raise _error(f"'in' of {field!r} takes a list of at most {MOST_CHOICES} values")
        return Condition(field, "in", tuple(_checked_value(field, "in", one) for one in operand))
    if operator == "exists" and not isinstance(operand, bool):
        raise _error(f"'exists' of {field!r} takes true or false, not {_shown(operand)}")
    if operator == "prefix" and not isinstance(operand, str):
        raise _error(f"'prefix' of {field!r} takes text, not {_shown(operand)}")
    if operator in _ORDERS and (operand is None or isinstance(operand, bool)):
        raise _error(f"{name!r} of {field!r} compares numbers or texts, not {_shown(operand)}")
    return Condition(field, operator, _checked_value(field, operator, operand))


def _checked_value(field: str, operator: str, value: JSONValue) -> Scalar:
    if isinstance(value, list | dict):
        raise _error(f"{operator!r} of {field!r} takes one value, not {_shown(value)}")
    if isinstance(value, str) and (
        len(value) > MOST_TEXT_CHARS or "\0" in value or not _is_encodable(value)
    ):
        raise _error(f"the text for {field!r} is longer than {MOST_TEXT_CHARS} or is not text")
    if isinstance(value, float) and not math.isfinite(value):
        raise _error(f"the number for {field!r} is {value}; it must be finite")
    if isinstance(value, int) and value not in _INT64:
        raise _error(f"the number for {field!r} does not fit 64 bits")
    return value


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _count(filter: Filter) -> int:
    if isinstance(filter, Condition):
        return 1
    if isinstance(filter, Not):
        return _count(filter.part)
    return 1 + sum(map(_count, filter.parts))


def _shown(value: object) -> str:
    return repr(value)[:60]


def _error(message: str) -> QueryError:
    return QueryError(message, param="filter", code="invalid_filter")
