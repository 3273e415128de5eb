"""Rules of filters: what they select, and that SQL and the plain reading agree."""

from __future__ import annotations

import operator
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import QueryError
from core.types import JSONObject, JSONValue
from index.collection import Collection
from index.fields import IndexField
from index.filter_sql import SQLCondition, compile_filter
from index.filters import All, AnyOf, Condition, Filter, Not, filter_json, parse_filter
from index.items import encode_metadata
from index.row_sets import read_row_set
from tests.index.builders import new_item, open_collection

ITEMS: dict[str, JSONObject] = {
    "car": {"label": "car", "year": 2020, "tags": ["red", "old"], "camera": {"model": "x100"}},
    "cat": {"label": "cat", "year": 2021.5, "tags": [], "indoors": True, "note": None},
    "none": {},
}


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collection]:
    """Yield a collection of ITEMS."""
    with open_collection(tmp_path_factory.mktemp("filters")) as opened:
        opened.upsert(
            [new_item(name, metadata=data, caption=f"a {name}") for name, data in ITEMS.items()]
        )
        yield opened


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({}, ["car", "cat", "none"]),
        ({"label": "car"}, ["car"]),
        ({"label": {"eq": "car"}}, ["car"]),
        ({"label": {"ne": "car"}}, ["cat", "none"]),
        ({"label": {"in": ["car", "cat", "dog"]}}, ["car", "cat"]),
        ({"label": {"in": []}}, []),
        ({"label": {"prefix": "ca"}}, ["car", "cat"]),
        ({"label": {"gt": "car"}}, ["cat"]),
        ({"year": 2020}, ["car"]),
        ({"year": 2020.0}, ["car"]),
        ({"year": {"gte": 2020, "lt": 2021}}, ["car"]),
        ({"year": {"gt": 2020}}, ["cat"]),
        ({"year": {"lte": 2021.5}}, ["car", "cat"]),
        ({"year": "2020"}, []),
        ({"tags": "red"}, ["car"]),
        ({"tags": {"ne": "red"}}, ["cat", "none"]),
        ({"tags": {"exists": True}}, ["car", "cat"]),
        ({"indoors": True}, ["cat"]),
        ({"indoors": 1}, []),
        ({"note": None}, ["car", "cat", "none"]),
        ({"label": None}, ["none"]),
        ({"label": {"in": ["car", None]}}, ["car", "none"]),
        ({"label": {"exists": False}}, ["none"]),
        ({"camera.model": "x100"}, ["car"]),
        ({"camera": "x100"}, []),
        ({"@id": {"prefix": "c"}}, ["car", "cat"]),
        ({"@caption": "a cat"}, ["cat"]),
        ({"@source": {"exists": True}}, []),
        ({"@id": 5}, []),
        ({"label": "car", "year": 2021.5}, []),
        ({"or": [{"label": "car"}, {"year": 2021.5}]}, ["car", "cat"]),
        ({"and": [{"label": "car"}, {"tags": "old"}]}, ["car"]),
        ({"not": {"label": "car"}}, ["cat", "none"]),
        ({"or": []}, []),
        ({"and": []}, ["car", "cat", "none"]),
    ],
)
def test_each_operator_selects_what_is_documented(
    collection: Collection, value: JSONValue, expected: list[str]
) -> None:
    """Values match by type, lists by any element, missing fields only through ne and null."""
    page = collection.scroll(filter=parse_filter(value))

    assert [item.id for item in page.items] == expected


@pytest.mark.parametrize(
    "value",
    [
        [],
        "label",
        {"label": ["a"]},
        {"label": {}},
        {"label": {"like": "a"}},
        {"label": {"in": "a"}},
        {"label": {"in": [["a"]]}},
        {"label": {"in": list(range(1001))}},
        {"label": {"exists": 1}},
        {"label": {"prefix": 1}},
        {"label": {"gt": True}},
        {"label": {"gt": None}},
        {"label": {"eq": {"a": 1}}},
        {"label": float("nan")},
        {"label": 2**70},
        {"label": "a\0b"},
        {"label": "\ud800"},
        {"label": "a" * 5000},
        {"": 1},
        {'a"]': 1},
        {"a\\": 1},
        {"a..b": 1},
        {"@secret": 1},
        {"x" * 129: 1},
        {"and": {"label": "a"}},
        {"not": [{"label": "a"}]},
        {"or": [{"label": "a"}] * 300},
    ],
)
def test_what_cannot_be_a_filter_is_refused(value: JSONValue) -> None:
    """Unknown operators, values that do not compare, odd names and excess are query errors."""
    with pytest.raises(QueryError) as caught:
        parse_filter(value)

    assert caught.value.param == "filter"


def test_depth_is_limited() -> None:
    """Seventeen levels are too deep."""
    value: JSONValue = {"label": "a"}
    for _ in range(16):
        value = {"not": value}

    with pytest.raises(QueryError, match="deeper than 16"):
        parse_filter(value)


def test_values_become_parameters_only() -> None:
    """No value of a client appears in the SQL text."""
    compiled = compile_filter(parse_filter({"label": "x') OR 1=1 --", "o'hara": 1}))

    assert "OR 1=1" not in compiled.sql
    assert "hara" not in compiled.sql


_ORDERS = {"gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le}
_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([0.5, -1.5, 2.0, 1e300]),
    st.sampled_from(["", "a", "ab", "B", "\u00e9", "1", "true", "\ud7ff\ue000", "a\U0010ffffb"]),
)
_METADATA = st.dictionaries(
    st.sampled_from(["f", "g"]), st.one_of(_SCALARS, st.lists(_SCALARS, max_size=3)), max_size=2
)
_FIELDS = st.sampled_from(["f", "g", "h"])
_ORDERED = st.one_of(st.integers(-3, 3), st.sampled_from(["a", "ab", "B", 0.5]))
_CONDITIONS = st.one_of(
    st.builds(Condition, _FIELDS, st.sampled_from(["eq", "ne"]), _SCALARS),
    st.builds(Condition, _FIELDS, st.sampled_from(list(_ORDERS)), _ORDERED),
    st.builds(Condition, _FIELDS, st.just("in"), st.lists(_SCALARS, max_size=3).map(tuple)),
    st.builds(Condition, _FIELDS, st.just("exists"), st.booleans()),
    st.builds(
        Condition,
        _FIELDS,
        st.just("prefix"),
        st.sampled_from(["", "a", "\u00e9", "tr", "\ud7ff", "a\U0010ffff"]),
    ),
)
_FILTERS = st.recursive(
    _CONDITIONS,
    lambda inner: st.one_of(
        st.builds(All, st.lists(inner, max_size=3).map(tuple)),
        st.builds(AnyOf, st.lists(inner, max_size=3).map(tuple)),
        st.builds(Not, inner),
    ),
    max_leaves=5,
)


@settings(deadline=None)
@given(filter=_FILTERS, metadata=st.lists(_METADATA, min_size=1, max_size=6))
def test_sql_selects_what_a_plain_reading_selects(
    filter: Filter, metadata: list[JSONObject]
) -> None:
    """Property: the compiled SQL and a naive evaluator agree on every filter and item."""
    wanted = [row for row, data in enumerate(metadata) if holds(filter, data)]
    with closing(table_of(metadata)) as connection:
        assert selected(connection, compile_filter(filter)) == wanted


@settings(deadline=None)
@given(
    filter=_FILTERS,
    metadata=st.lists(_METADATA, min_size=1, max_size=6),
    indexed=st.sets(st.sampled_from(["f", "g", "h"])),
)
def test_an_indexed_field_selects_what_a_plain_reading_selects(
    filter: Filter, metadata: list[JSONObject], indexed: set[str]
) -> None:
    """Property: whichever fields are indexed, both ways of asking agree with the evaluator."""
    wanted = [row for row, data in enumerate(metadata) if holds(filter, data)]
    with closing(table_of(metadata[:3])) as connection:
        for name in sorted(indexed):
            IndexField(name)(connection)
        insert(connection, metadata[3:], first=3)
        tables = {name: f"field_{place}" for place, name in enumerate(sorted(indexed), start=1)}
        compiled = compile_filter(filter, indexed=tables)
        rows = compiled.rows

        assert selected(connection, compiled) == wanted
        assert rows is None or read_row_set(connection, rows).tolist() == wanted


def table_of(metadata: list[JSONObject]) -> sqlite3.Connection:
    """Return a database whose items hold the metadata, rows counted from 0."""
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE items (row_id INTEGER PRIMARY KEY, metadata TEXT)")
    insert(connection, metadata, first=0)
    return connection


def insert(connection: sqlite3.Connection, metadata: list[JSONObject], *, first: int) -> None:
    """Insert items."""
    rows = [(row, encode_metadata(data)) for row, data in enumerate(metadata, start=first)]
    connection.executemany("INSERT INTO items VALUES (?, ?)", rows)


def selected(connection: sqlite3.Connection, condition: SQLCondition) -> list[int]:
    """Return the rows that the condition selects."""
    sql = f"SELECT row_id FROM items WHERE {condition.sql} ORDER BY row_id"
    return [row for (row,) in connection.execute(sql, condition.parameters)]


@given(filter=_FILTERS)
def test_a_filter_reads_back_from_its_json(filter: Filter) -> None:
    """Cursors are bound to the JSON of a filter, so equal JSON must mean an equal filter."""
    written = filter_json(filter)

    assert filter_json(parse_filter(written)) == written


def holds(filter: Filter, data: JSONObject) -> bool:
    """Evaluate a filter the obvious way."""
    if isinstance(filter, All):
        return all(holds(part, data) for part in filter.parts)
    if isinstance(filter, AnyOf):
        return any(holds(part, data) for part in filter.parts)
    if isinstance(filter, Not):
        return not holds(filter.part, data)
    value, wanted = data.get(filter.field), filter.value
    if filter.operator == "exists":
        return (value is not None) == wanted
    if filter.operator == "ne":
        return not holds(Condition(filter.field, "eq", wanted), data)
    choices = wanted if isinstance(wanted, tuple) else (wanted,)
    if None in choices and value is None:
        return True
    elements = value if isinstance(value, list) else [value]
    return any(passes(filter.operator, one, choice) for one in elements for choice in choices)


def passes(name: str, element: JSONValue, wanted: object) -> bool:
    """Compare one element with one value of the same kind."""
    kinds = [
        "bool" if isinstance(v, bool) else "number" if isinstance(v, int | float) else type(v)
        for v in (element, wanted)
    ]
    if element is None or wanted is None or kinds[0] != kinds[1]:
        return False
    if name == "prefix":
        return isinstance(element, str) and element.startswith(str(wanted))
    return bool(_ORDERS.get(name, operator.eq)(element, wanted))
