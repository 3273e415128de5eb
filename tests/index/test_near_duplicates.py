"""Rules of groups that look alike: exact, complete, and the same whatever the order of adding."""

from __future__ import annotations

import math
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from core.errors import UsageError
from core.types import FloatArray
from index import near_duplicates as module
from index.collection import Collection
from index.filter_sql import compile_filter
from index.filters import parse_filter
from index.near_duplicates import near_duplicates
from tests.index.builders import DIM, new_item, open_collection, random_units, unit


def groups(collection: Collection, threshold: float) -> list[list[str]]:
    """Return the ids of each group."""
    found = near_duplicates(collection.store, dim=collection.binding.dim, threshold=threshold)
    return [[item.id for item in group.items] for group in found]


def at(degrees: float) -> FloatArray:
    """Return the unit vector at an angle within a plane."""
    return unit(math.cos(math.radians(degrees)), math.sin(math.radians(degrees)), 0, 0)


def naive_groups(names: list[str], vectors_ND: FloatArray, threshold: float) -> list[list[str]]:
    """Return the connected components by growing each from its first member."""
    cosines_NN = vectors_ND.astype(np.float64) @ vectors_ND.astype(np.float64).T
    left = sorted(names)
    place = {name: number for number, name in enumerate(names)}
    found: list[list[str]] = []
    while left:
        group, grown = [left.pop(0)], True
        while grown:
            near = [
                name
                for name in left
                if any(cosines_NN[place[name], place[other]] >= threshold for other in group)
            ]
            left = [name for name in left if name not in near]
            group, grown = group + near, bool(near)
        if len(group) > 1:
            found.append(sorted(group))
    return found


def test_groups_are_joined_by_pairs_and_show_how_alike_they_are(tmp_path: Path) -> None:
    """10 degrees are a cosine of .985, 20 degrees .940: a chain is one group, and says so."""
    with open_collection(tmp_path) as collection:
        angles = {"b": 10, "a": 0, "c": 20, "far": 90, "alone": 135}
        collection.upsert([new_item(name, at(angle)) for name, angle in angles.items()])

        (group,) = near_duplicates(collection.store, dim=DIM, threshold=0.98)
        assert [item.id for item in group.items] == ["a", "b", "c"]
        cosines = [item.cosine for item in group.items]
        assert cosines == pytest.approx(
            [1, math.cos(math.pi / 18), math.cos(math.pi / 9)], abs=1e-6
        )
        assert groups(collection, 0.99) == []
        assert groups(collection, 0.3) == [["a", "alone", "b", "c", "far"]]


def test_equal_vectors_are_alike_at_threshold_one(tmp_path: Path) -> None:
    """Rounding does not hide a copy, and no cosine is above 1."""
    vectors_ND = random_units(50, 64, seed=3)
    with open_collection(tmp_path, dim=64) as collection:
        for copy in ("x", "y"):
            collection.upsert(
                [new_item(f"{n:02}{copy}", vectors_ND[n], digest=f"{n}{copy}") for n in range(50)]
            )
        found = near_duplicates(collection.store, dim=64, threshold=1)
        assert [[item.id for item in group.items] for group in found] == [
            [f"{n:02}x", f"{n:02}y"] for n in range(50)
        ]
        assert max(item.cosine for group in found for item in group.items) <= 1


@pytest.mark.parametrize("tile", [7, 64, 1024])
def test_groups_equal_a_naive_search_whatever_the_tiles_and_the_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tile: int
) -> None:
    """Every pair is looked at once, in whatever order the items were added."""
    monkeypatch.setattr(module, "_TILE", tile)
    rng = np.random.default_rng(tile)
    centres_ND = random_units(40, 16, seed=1)[rng.integers(0, 40, 150)]
    noisy_ND = centres_ND + 0.12 * random_units(150, 16, seed=2)
    vectors_ND = (noisy_ND / np.linalg.norm(noisy_ND, axis=1, keepdims=True)).astype(np.float32)
    names = [f"{n:03}" for n in range(150)]
    expected = naive_groups(names, vectors_ND, 0.98)
    assert len(expected) > 10

    with open_collection(tmp_path, dim=16) as collection:
        order = rng.permutation(150).tolist()
        collection.upsert([new_item(names[n], vectors_ND[n], digest=names[n]) for n in order])
        assert groups(collection, 0.98) == expected


def test_a_gallery_of_one_picture_is_one_group(tmp_path: Path) -> None:
    """Millions of pairs of equal vectors cost no more than their tiles."""
    with open_collection(tmp_path) as collection:
        collection.upsert(
            [new_item(f"{n:04}", unit(1, 1, 0, 0), digest=str(n)) for n in range(3000)]
        )
        (found,) = groups(collection, 0.95)
        assert found == [f"{n:04}" for n in range(3000)]


def test_only_what_a_filter_selects_is_compared(tmp_path: Path) -> None:
    """An image outside joins nothing."""
    with open_collection(tmp_path) as collection:
        for name, angle, year in (("a", 0, 1), ("b", 8, 2), ("c", 16, 1)):
            collection.upsert([new_item(name, at(angle), metadata={"year": year})])
        assert groups(collection, 0.98) == [["a", "b", "c"]]
        condition = compile_filter(parse_filter({"year": 1}))
        found = near_duplicates(collection.store, dim=DIM, threshold=0.98, condition=condition)
        assert found == []


def test_damaged_vectors_are_left_out(tmp_path: Path) -> None:
    """What cannot be trusted is like nothing."""
    with open_collection(tmp_path) as collection:
        collection.upsert([new_item(name, unit(1, 0, 0, 0), digest=name) for name in "abc"])
    with sqlite3.connect(tmp_path / "collection.sqlite3") as connection:
        connection.execute("UPDATE vectors SET vector = zeroblob(16) WHERE row_id = 2")
    connection.close()
    with open_collection(tmp_path) as collection:
        assert groups(collection, 0.9) == [["a", "c"]]


@pytest.mark.parametrize("threshold", [0, -0.5, 1.01, math.nan])
def test_a_threshold_out_of_range_is_refused(tmp_path: Path, threshold: float) -> None:
    """Zero would join everything."""
    with open_collection(tmp_path) as collection, pytest.raises(UsageError, match="threshold"):
        groups(collection, threshold)


def test_an_empty_gallery_has_no_groups(tmp_path: Path) -> None:
    """And one image has no second."""
    with open_collection(tmp_path) as collection:
        assert groups(collection, 0.9) == []
        collection.upsert([new_item("a")])
        assert groups(collection, 0.9) == []
