"""Filters as SQL over the table ``items``: fixed text with ``?``, every value a parameter.

A condition on an indexed metadata field (index/fields.py) looks its values up in the table of the
field; any other one reads the metadata of every item. Both select the same items.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from index.filters import All, Condition, Filter, Not, Operator, Scalar
from index.row_sets import EVERY_ROW, CommonRows, JoinedRows, OtherRows, RowSet, SelectedRows

_COLUMNS = {"@id": "items.id", "@caption": "items.caption", "@source": "items.source"}
_COMPARISONS = {"eq": "=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_KIND = "coalesce(json_type(items.metadata, ?), 'null')"
_SURROGATES, _AFTER_SURROGATES = 0xD800, 0xE000
_CHOICES = "(SELECT atom FROM json_each(?))"


@dataclass(frozen=True, slots=True)
class SQLCondition:
    """A condition on the table ``items``: SQL text with ``?`` and the values for them."""

    sql: str
    parameters: tuple[str | int | float, ...] = ()
    rows: RowSet | None = None
    """The same rows without looking at ``items``; ``None`` where that cannot be done."""


IndexedFields = Mapping[str, str]
"""Metadata field to the table of its values."""

EVERYTHING = SQLCondition("1", rows=EVERY_ROW)
_NONE_INDEXED: IndexedFields = MappingProxyType({})


def compile_filter(
    filter: Filter | None, *, indexed: IndexedFields = _NONE_INDEXED
) -> SQLCondition:
    """Return the SQL condition that selects what satisfies the filter (``None``: everything).

    ``indexed`` is what ``StoreReader.indexed_fields`` returned just now.
    """
    if filter is None:
        return EVERYTHING
    if isinstance(filter, Condition):
        return _compile_condition(filter, indexed)
    if isinstance(filter, Not):
        return _negated(compile_filter(filter.part, indexed=indexed))
    parts = [compile_filter(part, indexed=indexed) for part in filter.parts]
    return _joined(parts, every=isinstance(filter, All))


def field_path(field: str) -> str:
    """Return the JSON path of a metadata field; dots lead into nested objects."""
    return "$" + "".join(f'."{part}"' for part in field.split("."))


def _compile_condition(condition: Condition, indexed: IndexedFields) -> SQLCondition:
    field, operator, value = condition.field, condition.operator, condition.value
    table = indexed.get(field)
    if operator == "ne":
        return _negated(_compile_condition(Condition(field, "eq", value), indexed))
    if operator == "exists":
        present = _negated(_is_null(field, table))
        return present if value else _negated(present)
    choices = value if isinstance(value, tuple) else (value,)
    parts = [_is_null(field, table)] if None in choices else []
    known = [choice for choice in choices if choice is not None]
    if field in _COLUMNS:
        parts.append(_column_test(_COLUMNS[field], operator, known))
    elif table is not None:
        parts.append(_indexed_test(table, operator, known))
    else:
        parts.append(_metadata_test(field, operator, known))
    return _joined(parts, every=False)


def _is_null(field: str, table: str | None) -> SQLCondition:
    if field in _COLUMNS:
        return SQLCondition(f"({_COLUMNS[field]} IS NULL)")
    if table is not None:
        return _negated(_selected(f"SELECT row_id FROM {table} WHERE kind = 'there'", ()))  # noqa: S608
    return SQLCondition(f"({_KIND} = 'null')", (field_path(field),))


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
    return SQLCondition(sql, (field_path(field), field_path(field), *parameters))


def _indexed_test(table: str, operator: Operator, values: Sequence[Scalar]) -> SQLCondition:
    """Ask the table of a field, which holds a row for each element of a list."""
    truths = sorted({str(value).lower() for value in values if isinstance(value, bool)})
    texts = [value for value in values if isinstance(value, str)]
    numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    parts = [_looked_up(table, f"kind = '{truth}'") for truth in truths]
    if texts:
        test, parameters = _text_test("value", operator, texts)
        if operator == "prefix":
            lowest, end = texts[0], _end_of_prefix(texts[0])
            test = (
                f"value >= ? AND {test}" if end is None else f"value >= ? AND value < ? AND {test}"
            )
            parameters = (lowest, *([] if end is None else [end]), *parameters)
        parts.append(_looked_up(table, f"kind = 'text' AND {test}", parameters))
    if numbers:
        test = _comparison("value", operator)
        parts.append(_looked_up(table, f"kind = 'number' AND {test}", (json.dumps(numbers),)))
    return _joined(parts, every=False)


def _looked_up(table: str, test: str, parameters: tuple[str, ...] = ()) -> SQLCondition:
    return _selected(f"SELECT row_id FROM {table} WHERE {test}", parameters)  # noqa: S608


def _selected(sql: str, parameters: tuple[str, ...]) -> SQLCondition:
    return SQLCondition(f"(items.row_id IN ({sql}))", parameters, SelectedRows(sql, parameters))


def _end_of_prefix(prefix: str) -> str | None:
    """Return the least text above all that begin with ``prefix``; ``None`` where there is none."""
    known = prefix.rstrip(chr(0x10FFFF))
    if not known:
        return None
    following = ord(known[-1]) + 1
    # Half surrogates are no characters.
    return known[:-1] + chr(_AFTER_SURROGATES if following == _SURROGATES else following)


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


def _joined(parts: Sequence[SQLCondition], *, every: bool) -> SQLCondition:
    if len(parts) == 1:
        return SQLCondition(f"({parts[0].sql})", parts[0].parameters, parts[0].rows)
    joiner, empty = (" AND ", "1") if every else (" OR ", "0")
    known = [part.rows for part in parts if part.rows is not None]
    rows = None
    if len(known) == len(parts):
        rows = CommonRows(tuple(known)) if every else JoinedRows(tuple(known))
    sql = joiner.join(part.sql for part in parts) or empty
    return SQLCondition(f"({sql})", tuple(p for part in parts for p in part.parameters), rows)


def _negated(condition: SQLCondition) -> SQLCondition:
    rows = None if condition.rows is None else OtherRows(condition.rows)
    return SQLCondition(f"(NOT {condition.sql})", condition.parameters, rows)
