"""Property: after any operations a collection answers as a dictionary and brute force would.

The states of the index that users meet only at scale are reached with a merge every few rows:
bases, deltas, tombstones, and a start from each of them.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from core.types import FloatArray, JSONObject
from index import segmented_index
from index.collection import Collection
from index.fields import IndexField
from index.filters import Filter
from tests.index.builders import new_item, open_collection, unit
from tests.index.test_filters import _FILTERS, _METADATA, holds
from tests.index.test_ranking import AXES, brute_force, pages

NAMES = st.sampled_from([f"i{number}" for number in range(12)])
_LEAST_DELTA = 5


@pytest.fixture(autouse=True)
def small_deltas() -> Iterator[None]:
    """Merge when five rows are outside the base."""
    least, segmented_index._LEAST_DELTA = segmented_index._LEAST_DELTA, _LEAST_DELTA
    yield
    segmented_index._LEAST_DELTA = least


class AsADictionary(RuleBasedStateMachine):
    """Does the same to a collection and to a dictionary, and compares what they answer."""

    def __init__(self) -> None:
        """Start with an empty collection."""
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.collection: Collection = open_collection(self.folder)
        self.items: dict[str, tuple[FloatArray, JSONObject]] = {}

    @rule(names=st.lists(NAMES, min_size=1, max_size=6), axis=st.integers(0, 5), data=_METADATA)
    def upsert(self, names: list[str], axis: int, data: JSONObject) -> None:
        """Store items that point along an axis; many tie."""
        vector_D = unit(*AXES[axis])
        digest = str(axis)
        self.collection.upsert(
            [new_item(name, vector_D, digest=digest, metadata=data) for name in names]
        )
        self.items |= dict.fromkeys(names, (vector_D, data))

    @rule(name=NAMES, data=_METADATA)
    def update(self, name: str, data: JSONObject) -> None:
        """Replace the metadata of an item that is there."""
        if name in self.items:
            self.collection.update(name, metadata=data)
            self.items[name] = (self.items[name][0], data)

    @rule(names=st.lists(NAMES, max_size=4))
    def delete(self, names: list[str]) -> None:
        """Delete by id."""
        assert self.collection.delete(names) == len(set(names) & self.items.keys())
        self.items = {name: held for name, held in self.items.items() if name not in names}

    @rule(filter=_FILTERS)
    def delete_where(self, filter: Filter) -> None:
        """Delete by filter."""
        gone = {name for name, (_, data) in self.items.items() if holds(filter, data)}
        assert self.collection.delete_where(filter) == len(gone)
        self.items = {name: held for name, held in self.items.items() if name not in gone}

    @rule(field=st.sampled_from(["f", "g", "h"]))
    def index_a_field(self, field: str) -> None:
        """Filters on it are looked up from now on; answers stay the same."""
        self.collection.write(IndexField(field))

    @rule()
    def merge(self) -> None:
        """Write a new base and take it."""
        self.collection.snapshot()

    @rule()
    def reopen(self) -> None:
        """Start again."""
        self.collection.close()
        self.collection = open_collection(self.folder)

    @rule(filter=_FILTERS, sizes=st.lists(st.integers(1, 5), min_size=1, max_size=3))
    def search_with_a_filter(self, filter: Filter, sizes: list[int]) -> None:
        """The allowed items, in pages of these sizes, in the order of brute force."""
        vectors = {name: held[0] for name, held in self.items.items() if holds(filter, held[1])}
        query_D = unit(1, 2, 0, 0)
        assert pages(self.collection, query_D, sizes, filter) == brute_force(vectors, query_D)
        assert self.collection.count(filter) == len(vectors)

    @invariant()
    def equals_the_dictionary(self) -> None:
        """Everything is there, once, and in order."""
        vectors = {name: vector_D for name, (vector_D, _) in self.items.items()}
        query_D = unit(3, 1, 2, 0)
        assert pages(self.collection, query_D, [7]) == brute_force(vectors, query_D)
        listed = {item.id: item.metadata for item in self.collection.scroll().items}
        assert listed == {name: data for name, (_, data) in self.items.items()}

    def teardown(self) -> None:
        """Close and clear away."""
        self.collection.close()
        shutil.rmtree(self.folder)


TestAsADictionary = pytest.mark.slow(AsADictionary.TestCase)
TestAsADictionary.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
