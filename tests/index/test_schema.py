"""Rules of the database: galleries of older releases go on, those of newer ones are refused."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from core.errors import StorageError
from index.filters import parse_filter
from index.schema import DATABASE_NAME, FORMAT_VERSION
from tests.index.builders import new_item, open_collection

ESCAPED = '{"\\u00e9t\\u00e9":"\\ud83c\\udf1e"}'


def make_version_1(folder: Path) -> None:
    """Make a gallery whose metadata is stored as version 1 stored it."""
    with open_collection(folder) as collection:
        collection.upsert([new_item("a", metadata={"\u00e9t\u00e9": "\U0001f31e"})])
    with contextlib.closing(sqlite3.connect(folder / DATABASE_NAME)) as connection:
        connection.execute("UPDATE items SET metadata = ?", (ESCAPED,))
        connection.execute("PRAGMA user_version = 1")
        connection.commit()


def test_a_gallery_of_version_1_is_written_anew(tmp_path: Path) -> None:
    """The first writer stores metadata without escapes, and filters find the field."""
    make_version_1(tmp_path)

    with open_collection(tmp_path) as collection:
        assert collection.count(parse_filter({"\u00e9t\u00e9": "\U0001f31e"})) == 1
        assert collection.get("a").metadata == {"\u00e9t\u00e9": "\U0001f31e"}
        with collection.store.connection() as connection:
            assert connection.execute("PRAGMA user_version").fetchone()[0] == FORMAT_VERSION


def test_a_reader_leaves_a_gallery_of_version_1_as_it_is(tmp_path: Path) -> None:
    """Reading needs no migration."""
    make_version_1(tmp_path)

    with open_collection(tmp_path, read_only=True) as collection:
        assert collection.get("a").metadata == {"\u00e9t\u00e9": "\U0001f31e"}
        with collection.store.connection() as connection:
            assert connection.execute("PRAGMA user_version").fetchone()[0] == 1


def test_a_gallery_of_a_newer_release_is_refused(tmp_path: Path) -> None:
    """The message names both versions."""
    make_version_1(tmp_path)
    with contextlib.closing(sqlite3.connect(tmp_path / DATABASE_NAME)) as connection:
        connection.execute("PRAGMA user_version = 3")

    with pytest.raises(StorageError, match="format version 3; this release reads up to 2"):
        open_collection(tmp_path)
