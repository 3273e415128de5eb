"""Filters as SQL over the table ``items``: fixed text with ``?``, every value a parameter."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from index.filters import All, Condition, Filter, Not, Operator, Scalar

_COLUMNS = {"@id": "items.id", "@caption": "items.caption", "@source": "items.source"}
_COMPARISONS = {"eq": "=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_KIND = "coalesce(json_type(items.metadata, ?), 'null')"
_CHOICES = "(SELECT atom FROM json_each(?))"


@dataclass(frozen=True, slots=True)
class SQLCondition:
    """A condition on the table ``items``: SQL text with ``?`` and the values for them."""

    sql: str
    parameters: tuple[str | int | float, ...] = ()


EVERYTHING = SQLCondition("1")


def compile_filter(filter: Filter | None) -> SQLCondition:
    """Return the SQL condition that selects what satisfies the filter (``None``: everything)."""
    if filter is None:
        return EVERYTHING
    if isinstance(filter, Condition):
        return _compile_condition(filter)
    if isinstance(filter, Not):
        return _negated(compile_filter(filter.part))
    joiner, empty = (" AND ", "1") if isinstance(filter, All) else (" OR ", "0")
    parts = [compile_filter(part) for part in filter.parts]
    sql = joiner.join(part.sql for part in parts) or empty
    return SQLCondition(f"({sql})", tuple(p for part in parts for p in part.parameters))


def _compile_condition(condition: Condition) -> SQLCondition:
    field, operator, value = condition.field, condition.operator, condition.value
    if operator == "ne":
        return _negated(_compile_condition(Condition(field, "eq", value)))
    if operator == "exists":
        present = _negated(_is_null(field))
        return present if value else _negated(present)
    choices = value if isinstance(value, tuple) else (value,)
    parts = [_is_null(field)] if None in choices else []
    known = [choice for choice in choices if choice is not None]
    if field in _COLUMNS:
        parts.append(_column_test(_COLUMNS[field], operator, known))
    else:
        parts.append(_metadata_test(field, operator, known))
    sql = " OR ".join(part.sql for part in parts)
    return SQLCondition(f"({sql})", tuple(p for part in parts for p in part.parameters))


def _is_null(field: str) -> SQLCondition:
    if field in _COLUMNS:
        return SQLCondition(f"({_COLUMNS[field]} IS NULL)")
    return SQLCondition(f"({_KIND} = 'null')", (_path(field),))


def _column_test(column: str, operator: Operator, values: Sequence[Scalar]) -> SQLCondition:
    texts = [value for value in values if isinstance(value, str)]
    test, parameters = _text_test(column, operator, texts)
    return SQLCondition(f"({column} IS NOT NULL AND {test})", parameters)


def _metadata_test(field: str, operator: Operator, values: Sequence[Scalar]) -> SQLCondition:
    """Ask whether the field, or one element of it if it is a list, passes for one of the values."""
    truths = sorted({str(value).lower() for value in values if isinstance(value, bool)})
    texts = [value for value in values if isinstance(value, str)]
    numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    tests = [f"element.type = '{truth}'" for truth in truths]
    parameters: tuple[str, ...] = ()
    if texts:
        test, parameters = _text_test("element.atom", operator, texts)
        tests.append(f"(element.type = 'text' AND {test})")
    if numbers:
        # SQLite reads these digits as it reads those of the metadata: equal digits are equal.
        test = _comparison("element.atom", operator)
        tests.append(f"(element.type IN ('integer', 'real') AND {test})")
        parameters += (json.dumps(numbers),)
    if not tests:
        return SQLCondition("0")
    # The members of an object are not elements of a list.
    elements = "SELECT 1 FROM json_each(items.metadata, ?) AS element"
    sql = f"({_KIND} <> 'object' AND EXISTS ({elements} WHERE {' OR '.join(tests)}))"
    return SQLCondition(sql, (_path(field), _path(field), *parameters))


def _text_test(
    expression: str, operator: Operator, texts: Sequence[str]
) -> tuple[str, tuple[str, ...]]:
    if not texts:
        return "0", ()
    if operator == "prefix":
        return f"substr({expression}, 1, length(?)) = ?", (texts[0], texts[0])
    return _comparison(expression, operator), (json.dumps(list(texts)),)


def _comparison(expression: str, operator: Operator) -> str:
    if operator == "in":
        return f"{expression} IN {_CHOICES}"
    return f"{expression} {_COMPARISONS[operator]} {_CHOICES}"


def _path(field: str) -> str:
    return "$" + "".join(f'."{part}"' for part in field.split("."))


def _negated(condition: SQLCondition) -> SQLCondition:
    return SQLCondition(f"(NOT {condition.sql})", condition.parameters)
