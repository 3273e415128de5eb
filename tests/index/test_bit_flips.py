"""Flipped bits and cut files: found out, told, and never a wrong answer."""

from __future__ import annotations

import hashlib
import random
import shutil
import sqlite3
import zlib
from collections import Counter
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from core.errors import StorageError
from index import base_segment
from index.collection import Collection
from index.doctor import examine
from index.schema import DATABASE_NAME
from index.segment_file import Segment
from tests.index.builders import new_item, random_units
from tests.index.workload import DIM, open_small

COUNT = 400
FLIPS = 200
PAGE_BYTES = 8192
# Names of which no flipped bit makes another.
NAMES = [hashlib.sha256(str(number).encode()).hexdigest()[:12] for number in range(COUNT)]
VECTORS = dict(zip(NAMES, random_units(COUNT, DIM), strict=True))
QUERY_D = random_units(1, DIM, seed=9)[0]


def fill(folder: Path) -> None:
    """Make a gallery of 400 items."""
    with open_small(folder) as collection:
        collection.upsert(
            [
                new_item(name, vector_D, caption=f"caption {name}", metadata={"n": name})
                for name, vector_D in VECTORS.items()
            ]
        )


def served(collection: Collection) -> set[str]:
    """Search for everything; return the names, after checking the score of each."""
    hits = collection.search(QUERY_D, k=1000).hits
    for hit in hits:
        if hit.id in VECTORS:
            assert abs(hit.score - float(np.dot(VECTORS[hit.id], QUERY_D))) < 1e-5, hit.id
    return {hit.id for hit in hits}


def flipped(data: bytes, rng: random.Random, start: int = 0) -> bytes:
    """Return data with one bit changed, behind ``start``."""
    place = rng.randrange(start, len(data))
    return data[:place] + bytes([data[place] ^ 1 << rng.randrange(8)]) + data[place + 1 :]


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a closed gallery with a snapshot, only ever copied."""
    folder = tmp_path_factory.mktemp("good") / "gallery"
    fill(folder)
    with open_small(folder) as collection:
        collection.snapshot()
    return folder


def copy(gallery: Path, folder: Path) -> Path:
    """Copy a gallery; return the path of its database."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(gallery, folder)
    return folder / DATABASE_NAME


@pytest.mark.slow
def test_no_damaged_snapshot_is_ever_parsed(
    gallery: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any bit of it flipped, cut at any length: not opened, and the record serves in its place."""
    opened: list[Path] = []
    real = base_segment.open_segment

    def recording(path: Path, *, dim: int) -> Segment:
        opened.append(path)
        return real(path, dim=dim)

    monkeypatch.setattr(base_segment, "open_segment", recording)
    copy(gallery, tmp_path / "copy")
    (snapshot,) = (tmp_path / "copy" / "snapshots").iterdir()
    good, rng = snapshot.read_bytes(), random.Random(0)
    damaged = [flipped(good, rng) for _ in range(FLIPS)]
    damaged += [good[: rng.randrange(len(good))] for _ in range(FLIPS // 4)]
    for data in damaged:
        snapshot.write_bytes(data)
        with open_small(tmp_path / "copy", read_only=True) as collection:
            assert served(collection) == set(NAMES)
    assert opened == []
    snapshot.write_bytes(good)
    with open_small(tmp_path / "copy", read_only=True) as collection:
        assert served(collection) == set(NAMES)
    assert opened == [snapshot]


@pytest.mark.slow
def test_a_flipped_bit_of_the_database_is_survived_told_or_found(
    gallery: Path, tmp_path: Path
) -> None:
    """Items are quarantined, or an error says what is damaged, or ``doctor`` finds it.

    What is found under its name has its own score, always.
    """
    good, rng = (gallery / DATABASE_NAME).read_bytes(), random.Random(0)
    outcomes: Counter[str] = Counter()
    for turn in range(FLIPS):
        database = copy(gallery, tmp_path / "copy")
        shutil.rmtree(database.parent / "snapshots")
        database.write_bytes(flipped(good, rng))
        outcomes[outcome_of(database.parent, read_only=turn % 2 == 0)] += 1
    assert outcomes["whole"] > FLIPS / 2
    assert outcomes["quarantined"] > 0
    assert outcomes["told"] > 0


def outcome_of(folder: Path, *, read_only: bool) -> str:
    """Open, search and list a gallery; return what became of the damage."""
    try:
        with open_small(folder, read_only=read_only) as collection:
            names = served(collection)
            collection.scroll(limit=1000)
            if names == set(NAMES):
                return "whole"
            if collection.damaged:
                return "quarantined"
            assert examine(collection).faults
            return "found"
    except StorageError:
        return "told"


@pytest.mark.slow
def test_a_damaged_page_costs_only_its_rows(gallery: Path, tmp_path: Path) -> None:
    """A page of vectors that is no page any more: its rows are quarantined by name."""
    database = copy(gallery, tmp_path / "copy")
    shutil.rmtree(database.parent / "snapshots")
    data = bytearray(database.read_bytes())
    place = data.index(VECTORS[NAMES[200]].tobytes()) // PAGE_BYTES * PAGE_BYTES
    data[place : place + 8] = bytes(8)
    database.write_bytes(bytes(data))

    with open_small(database.parent) as collection:
        names = served(collection)
        assert 0 < len(collection.damaged) < COUNT / 2
        assert names | set(collection.damaged) == set(NAMES)
        assert NAMES[200] in collection.damaged


@pytest.mark.parametrize(
    ("change", "quarantined"),
    [
        ("UPDATE items SET id = 'other' WHERE row_id = 7", {"other"}),
        ("UPDATE vectors SET row_id = 9999 - row_id WHERE row_id = 7", {NAMES[6]}),
        (
            (
                "UPDATE vectors SET (vector, checksum) = "
                "(SELECT vector, checksum FROM vectors WHERE row_id = 8) WHERE row_id = 7"
            ),
            {NAMES[6]},
        ),
    ],
)
def test_no_item_gets_the_vector_of_another(
    gallery: Path, tmp_path: Path, change: str, quarantined: set[str]
) -> None:
    """The checksum covers the row id and the id: a damaged key is as bad as a damaged vector."""
    database = copy(gallery, tmp_path / "copy")
    shutil.rmtree(database.parent / "snapshots")
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(change)

    with open_small(database.parent) as collection:
        assert served(collection) == set(NAMES) - {NAMES[6]}
        assert set(collection.damaged) == quarantined


def test_a_checksum_of_format_1_is_still_one(gallery: Path, tmp_path: Path) -> None:
    """It covered the vector alone."""
    database = copy(gallery, tmp_path / "copy")
    shutil.rmtree(database.parent / "snapshots")
    with closing(sqlite3.connect(database)) as connection, connection:
        checksum = zlib.crc32(VECTORS[NAMES[6]].tobytes())
        connection.execute("UPDATE vectors SET checksum = ? WHERE row_id = 7", (checksum,))

    with open_small(database.parent) as collection:
        assert served(collection) == set(NAMES)


def test_broken_metadata_is_told_with_the_name_of_its_item(gallery: Path, tmp_path: Path) -> None:
    """The item can be deleted, and the rest is as it was."""
    database = copy(gallery, tmp_path / "copy")
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE items SET metadata = '{broken' WHERE id = ?", (NAMES[0],))

    with open_small(database.parent) as collection:
        with pytest.raises(StorageError, match=f"metadata of '{NAMES[0]}' is damaged"):
            collection.search(QUERY_D, k=1000)
        collection.delete([NAMES[0]])
        assert served(collection) == set(NAMES[1:])
