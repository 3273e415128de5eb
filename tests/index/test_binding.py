"""Rules of what a collection remembers of its model."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import StorageError
from index.binding import recorded_model
from index.collection import Collection
from tests.index.builders import DIM, ENCODER_ID, new_item


def test_the_model_is_recorded_for_later_commands(tmp_path: Path) -> None:
    """A command that names a model records it; one that names none leaves the record."""
    assert recorded_model(tmp_path) is None

    for model in ("/models/a", None):
        with Collection.open(tmp_path, encoder_id=ENCODER_ID, dim=DIM, model=model) as opened:
            opened.upsert([new_item("a")])
        assert recorded_model(tmp_path) == "/models/a"


def test_a_moved_model_can_be_recorded_anew(tmp_path: Path) -> None:
    """The same encoder from another place is the same encoder."""
    for model in ("/models/a", "/models/b"):
        with Collection.open(tmp_path, encoder_id=ENCODER_ID, dim=DIM, model=model) as opened:
            opened.upsert([new_item("a")])

    assert recorded_model(tmp_path) == "/models/b"


def test_a_broken_gallery_is_told(tmp_path: Path) -> None:
    """Garbage in the place of the database is no missing record."""
    (tmp_path / "collection.sqlite3").write_bytes(b"garbage" * 500)

    with pytest.raises(StorageError):
        recorded_model(tmp_path)
