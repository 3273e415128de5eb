"""Rules of the values of a field: counted by item, the same with and without an index."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import QueryError
from index.collection import Collection
from index.field_values import ValueUse, field_values
from index.fields import IndexField
from tests.index.builders import new_item, open_collection


def fill(collection: Collection) -> None:
    """Add items whose field ``f`` holds texts, numbers, truth values, lists and nothing."""
    values = ["cat", ["cat", "cat", "dog"], 2, True, False, None, {"cat": 1}]
    collection.upsert(
        [new_item(f"item-{place}", metadata={"f": value}) for place, value in enumerate(values)]
    )


@pytest.mark.parametrize("indexed", [False, True])
def test_values_are_counted_by_item_the_most_frequent_first(
    tmp_path: Path, *, indexed: bool
) -> None:
    """A list counts each of its values once; null and objects are no values."""
    with open_collection(tmp_path) as collection:
        fill(collection)
        if indexed:
            collection.write(IndexField("f"))
        found = field_values(collection.store, "f", limit=10)

    assert found == [
        ValueUse("cat", 2),
        ValueUse(value=False, items=1),
        ValueUse(2, 1),
        ValueUse("dog", 1),
        ValueUse(value=True, items=1),
    ]
    assert [type(use.value) for use in found] == [str, bool, int, str, bool]


def test_the_limit_keeps_the_most_frequent(tmp_path: Path) -> None:
    """One value of five is the one that most items have; an unknown field has none."""
    with open_collection(tmp_path) as collection:
        fill(collection)

        assert field_values(collection.store, "f", limit=1) == [ValueUse("cat", 2)]
        assert field_values(collection.store, "nothing", limit=1) == []


def test_a_name_that_no_field_can_have_is_refused(tmp_path: Path) -> None:
    """The name never becomes part of a statement."""
    with open_collection(tmp_path) as collection, pytest.raises(QueryError, match="field"):
        field_values(collection.store, 'f"; DROP TABLE items', limit=1)
