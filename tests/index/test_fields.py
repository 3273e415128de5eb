"""Rules of indexed fields: filters select the same, whatever is written, and the index is used."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import NotFoundError, QueryError, UsageError
from core.types import JSONObject
from index.changes import Outcome
from index.collection import Collection
from index.fields import (
    MOST_INDEXED_FIELDS,
    DropField,
    FieldUse,
    IndexField,
    RebuildField,
    drifted_fields,
    field_uses,
)
from index.filters import parse_filter
from index.row_sets import SelectedRows
from tests.index.builders import new_item, open_collection


@pytest.fixture
def collection(tmp_path: Path) -> Iterator[Collection]:
    """Yield an empty collection whose fields ``f`` and ``o.p`` are indexed."""
    with open_collection(tmp_path) as opened:
        opened.write(IndexField("f"))
        opened.write(IndexField("o.p"))
        yield opened


def test_fields_are_listed_with_their_use(collection: Collection) -> None:
    """Top-level fields are counted, indexed ones are marked even if no item has them."""
    collection.upsert([new_item("a", metadata={"f": [1], "g": None}), new_item("b")])

    assert field_uses(collection.store) == [
        FieldUse("f", 1, indexed=True),
        FieldUse("g", 1, indexed=False),
        FieldUse("o.p", 0, indexed=True),
    ]


def test_a_filter_on_an_indexed_field_looks_up(collection: Collection) -> None:
    """Its rows come from the table of the field, by a search over its key."""
    condition = collection.store.condition(parse_filter({"f": {"gte": 3}}))

    assert isinstance(condition.rows, SelectedRows)
    with collection.store.connection() as connection:
        sql = f"EXPLAIN QUERY PLAN {condition.rows.sql}"
        plan = [row[3] for row in connection.execute(sql, condition.rows.parameters)]
    assert plan[0] == "SEARCH field_1 USING PRIMARY KEY (kind=? AND value>?)"


def test_indexing_twice_changes_nothing(collection: Collection) -> None:
    """The second time says so."""
    assert collection.write(IndexField("f")) is False
    assert collection.write(IndexField("g")) is True


def test_a_dropped_field_still_filters(collection: Collection) -> None:
    """Without its index the metadata is read again; dropping it twice is an error."""
    collection.upsert([new_item("a", metadata={"f": 1}), new_item("b", metadata={"f": 2})])
    collection.write(DropField("f"))

    page = collection.scroll(filter=parse_filter({"f": 2}))
    assert [item.id for item in page.items] == ["b"]
    assert collection.store.indexed_fields() == {"o.p": "field_2"}
    with pytest.raises(NotFoundError, match="'f' is not indexed"):
        collection.write(DropField("f"))


@pytest.mark.parametrize("name", ["", 'a"', "a..b"])
def test_a_name_that_no_filter_can_ask_for_is_refused(collection: Collection, name: str) -> None:
    """The rules are those of filters."""
    with pytest.raises(QueryError):
        collection.write(IndexField(name))


def test_the_columns_of_an_item_need_no_index(collection: Collection) -> None:
    """``@id`` and its siblings are refused."""
    with pytest.raises(UsageError, match="@id needs no index"):
        collection.write(IndexField("@id"))


def test_the_number_of_indexes_is_limited(collection: Collection) -> None:
    """One more than the limit is refused with the command that helps."""
    for number in range(MOST_INDEXED_FIELDS - 2):
        collection.write(IndexField(f"n{number}"))

    with pytest.raises(UsageError, match="sightline fields drop f"):
        collection.write(IndexField("more"))


def test_an_odd_name_is_only_data(collection: Collection) -> None:
    """Quotes of SQL and letters beyond ASCII name a field like any other."""
    name = "it's a\u00e9; DROP TABLE items"
    collection.upsert([new_item("a", metadata={name: "x"})])
    collection.write(IndexField(name))

    assert collection.count(parse_filter({name: "x"})) == 1
    assert collection.count() == 1


def test_a_table_that_differs_from_the_items_is_found_and_rebuilt(collection: Collection) -> None:
    """A planted wrong value shows up as drift; building the table anew mends it."""
    collection.upsert([new_item("a", metadata={"f": 1, "o": {"p": 2}})])
    collection.write(
        lambda connection: Outcome(connection.execute("UPDATE field_1 SET value = 9") and None)
    )

    assert drifted_fields(collection.store) == ["f"]
    collection.write(RebuildField("f"))
    assert drifted_fields(collection.store) == []
    assert collection.count(parse_filter({"f": 1})) == 1


_VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 2), st.just(2.0), st.sampled_from(["", "a", "\u00e9"])
)
_DATA = st.dictionaries(
    st.sampled_from(["f", "o"]),
    st.one_of(
        _VALUES,
        st.lists(_VALUES, max_size=3),
        st.dictionaries(st.just("p"), st.one_of(_VALUES, st.lists(_VALUES)), max_size=1),
    ),
)
_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["upsert", "update", "delete"]), st.sampled_from(["a", "b", "c"]), _DATA
    ),
    max_size=12,
)


@settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=_STEPS)
def test_the_tables_follow_every_change(
    collection: Collection, steps: list[tuple[str, str, JSONObject]]
) -> None:
    """Property: after any changes the tables hold exactly the values of the items."""
    for kind, name, data in steps:
        if kind == "upsert":
            collection.upsert([new_item(name, metadata=data)])
        elif kind == "delete":
            collection.delete([name])
        elif collection.find([name]):
            collection.update(name, metadata=data)

    assert drifted_fields(collection.store) == []
