"""Rules of a collection: what is stored is found, in the right order, and stays."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from core.errors import (
    ConflictError,
    EncoderMismatchError,
    NotFoundError,
    QueryError,
    StorageError,
    StorageFullError,
    UsageError,
)
from index.collection import Collection
from index.filters import parse_filter
from index.items import Status
from tests.index.builders import DIM, ENCODER_ID, new_item, open_collection, unit


def ids_of(collection: Collection, *, k: int = 10, axis: int = 0) -> list[str]:
    """Search along an axis and return the ids."""
    found = collection.search(np.eye(DIM, dtype=np.float32)[axis], k=k)
    return [hit.id for hit in found.hits]


def test_upsert_tells_created_updated_and_unchanged(tmp_path: Path) -> None:
    """Equal digest, caption and metadata are unchanged; anything else replaces the item."""
    with open_collection(tmp_path) as collection:
        first = collection.upsert([new_item("a", caption="x"), new_item("b")])
        second = collection.upsert(
            [new_item("a", caption="x"), new_item("b", digest="other"), new_item("c")]
        )
        third = collection.upsert([new_item("a", caption="y"), new_item("b", metadata={"n": 1})])

        assert first == [Status.CREATED, Status.CREATED]
        assert second == [Status.UNCHANGED, Status.UPDATED, Status.CREATED]
        assert third == [Status.UPDATED, Status.UPDATED]
        assert collection.count() == 3
        assert collection.get("a").caption == "y"


def test_the_last_of_equal_ids_in_one_batch_wins(tmp_path: Path) -> None:
    """A batch is applied in order."""
    with open_collection(tmp_path) as collection:
        statuses = collection.upsert(
            [new_item("a", unit(1, 0, 0, 0)), new_item("a", unit(0, 1, 0, 0), digest="2")]
        )

        assert statuses == [Status.CREATED, Status.UPDATED]
        found = collection.search(unit(0, 1, 0, 0), k=10)
        assert [(hit.id, hit.score) for hit in found.hits] == [("a", 1.0)]


def test_order_is_score_descending_then_id(tmp_path: Path) -> None:
    """Equal scores are in order of id, whatever order they were added in."""
    with open_collection(tmp_path) as collection:
        collection.upsert([new_item(name) for name in ["d", "b", "B", "\u00e9", "a"]])
        collection.upsert([new_item("z", unit(0, 1, 0, 0))])

        assert ids_of(collection) == ["B", "a", "b", "d", "\u00e9", "z"]
        assert ids_of(collection, k=2) == ["B", "a"]


def test_everything_survives_closing(tmp_path: Path) -> None:
    """Items, vectors and order are the same after opening again."""
    with open_collection(tmp_path) as collection:
        collection.upsert(
            [
                new_item("a", caption="x", metadata={"n": [1, "\u00e9"]}),
                new_item("b", unit(1, 1, 0, 0)),
            ]
        )
    with open_collection(tmp_path) as collection:
        assert ids_of(collection) == ["a", "b"]
        assert collection.get("a").metadata == {"n": [1, "\u00e9"]}
        assert np.array_equal(collection.vectors(["b", "a"])[0], unit(1, 1, 0, 0))


def test_updating_changes_what_is_given_only(tmp_path: Path) -> None:
    """Caption and metadata change one by one; the vector stays."""
    with open_collection(tmp_path) as collection:
        collection.upsert([new_item("a", caption="x", metadata={"n": 1})])
        collection.update("a", caption="y")
        collection.update("a", metadata={"n": 2})

        assert (collection.get("a").caption, collection.get("a").metadata) == ("y", {"n": 2})
        assert ids_of(collection) == ["a"]
        with pytest.raises(NotFoundError, match="'b'"):
            collection.update("b", caption="y")


def test_deleted_items_are_gone(tmp_path: Path) -> None:
    """By id and by filter; unknown ids are no error; the number tells how many there were."""
    with open_collection(tmp_path) as collection:
        collection.upsert([new_item(name, metadata={"n": n}) for n, name in enumerate("abcd")])

        assert collection.delete(["a", "missing"]) == 1
        assert collection.delete_where(parse_filter({"n": {"gte": 2}})) == 2
        assert ids_of(collection) == ["b"]
        assert collection.count() == 1
        with pytest.raises(NotFoundError):
            collection.get("a")


def test_a_filter_never_loses_a_match(tmp_path: Path) -> None:
    """K hits come back whenever k items satisfy the filter, however bad their scores are."""
    with open_collection(tmp_path) as collection:
        collection.upsert([new_item(f"good{n:03}", metadata={"kind": "good"}) for n in range(300)])
        collection.upsert(
            [new_item(f"bad{n}", unit(-1, 0, 0, 0), metadata={"kind": "bad"}) for n in range(7)]
        )
        found = collection.search(unit(1, 0, 0, 0), k=5, filter=parse_filter({"kind": "bad"}))

        assert [hit.id for hit in found.hits] == ["bad0", "bad1", "bad2", "bad3", "bad4"]
        assert found.plan == "exact"
        assert collection.count(parse_filter({"kind": "bad"})) == 7


def test_scrolling_visits_every_item_once_in_order(tmp_path: Path) -> None:
    """Pages continue by id, so writes in between repeat and lose nothing."""
    with open_collection(tmp_path) as collection:
        collection.upsert([new_item(f"{n:02}") for n in range(25)])
        first = collection.scroll(limit=10)
        collection.upsert([new_item("00a")])
        collection.delete(["15"])
        second = collection.scroll(limit=10, cursor=first.cursor)
        third = collection.scroll(limit=10, cursor=second.cursor)

        seen = [item.id for page in (first, second, third) for item in page.items]
        assert seen == [f"{n:02}" for n in range(25) if n != 15]
        assert third.cursor is None
        with pytest.raises(QueryError, match="another query"):
            collection.scroll(cursor=first.cursor, filter=parse_filter({"n": 1}))


@pytest.mark.parametrize(
    "vector",
    [
        [1.0, 0, 0],
        [0.0, 0, 0, 0],
        [float("nan"), 0, 0, 0],
        [float("inf"), 0, 0, 0],
        [[1.0, 0, 0, 0]],
    ],
)
def test_query_vectors_that_point_nowhere_are_refused(tmp_path: Path, vector: list[float]) -> None:
    """Another dimension, zero, NaN and infinity are query errors."""
    with open_collection(tmp_path) as collection, pytest.raises(QueryError, match="vector"):
        collection.search(np.array(vector), k=1)


@pytest.mark.parametrize("k", [0, -1, 10**9])
def test_k_is_limited(tmp_path: Path, k: int) -> None:
    """The message names the limit."""
    with open_collection(tmp_path) as collection, pytest.raises(QueryError, match="1000"):
        collection.search(unit(1, 0, 0, 0), k=k)


@pytest.mark.parametrize("vector", [[1.0, 0, 0], [2.0, 0, 0, 0], [float("nan"), 0, 0, 0]])
def test_what_is_no_embedding_is_not_stored(tmp_path: Path, vector: list[float]) -> None:
    """A wrong dimension, a wrong length and NaN are refused before anything is written."""
    with open_collection(tmp_path) as collection:
        with pytest.raises(StorageError, match="embedding of 'a'"):
            collection.upsert([new_item("b"), new_item("a", np.array(vector, np.float32))])
        assert collection.count() == 0


def test_a_bad_id_stores_nothing_of_its_batch(tmp_path: Path) -> None:
    """A batch is all or nothing."""
    with open_collection(tmp_path) as collection:
        with pytest.raises(UsageError, match="NUL"):
            collection.upsert([new_item("a"), new_item("b\0")])
        assert collection.count() == 0


def test_another_encoder_is_refused_with_both_ids_and_a_remedy(tmp_path: Path) -> None:
    """Vectors of two encoders are never compared."""
    with open_collection(tmp_path) as collection:
        collection.upsert([new_item("a")])
    for read_only in (False, True):
        with pytest.raises(EncoderMismatchError) as caught:
            Collection.open(tmp_path, encoder_id="other", dim=DIM, read_only=read_only)
        assert ENCODER_ID in str(caught.value)
        assert "other" in str(caught.value)
        assert "sightline add --gallery NEW" in str(caught.value)
    with open_collection(tmp_path) as collection:
        assert collection.count() == 1


def test_an_empty_collection_may_change_its_encoder(tmp_path: Path) -> None:
    """A first attempt that stored nothing does not stand in the way."""
    Collection.open(tmp_path, encoder_id="first", dim=8, model="a").close()

    with Collection.open(tmp_path, encoder_id="second", dim=DIM) as collection:
        assert collection.binding.encoder_id == "second"
        assert collection.binding.model is None


def test_one_process_writes_at_a_time(tmp_path: Path) -> None:
    """A second writer is refused by name; a reader is not; closing frees the lock."""
    with open_collection(tmp_path) as collection:
        with pytest.raises(ConflictError, match="is being written by process") as caught:
            open_collection(tmp_path)
        assert caught.value.code == "gallery_locked"
        open_collection(tmp_path, read_only=True).close()
        collection.upsert([new_item("a")])
    open_collection(tmp_path).close()


def test_a_reader_follows_the_writer(tmp_path: Path) -> None:
    """A collection that was opened for reading sees later writes, updates and deletes."""
    with open_collection(tmp_path) as writer:
        writer.upsert([new_item("a")])
        with open_collection(tmp_path, read_only=True) as reader:
            assert ids_of(reader) == ["a"]
            writer.upsert([new_item("b", digest="1"), new_item("a", unit(0, 1, 0, 0), digest="2")])
            assert ids_of(reader) == ["b", "a"]
            writer.delete(["b"])
            assert ids_of(reader) == ["a"]
            with pytest.raises(ConflictError, match="reading only"):
                reader.upsert([new_item("c")])


def test_a_missing_collection_cannot_be_read(tmp_path: Path) -> None:
    """Reading makes no folder; the message says how to make one."""
    with pytest.raises(NotFoundError, match="sightline add"):
        open_collection(tmp_path / "none", read_only=True)
    assert not (tmp_path / "none").exists()


def test_a_closed_collection_refuses_writes(tmp_path: Path) -> None:
    """After close a write is an error, not a hang."""
    collection = open_collection(tmp_path)
    collection.close()
    with pytest.raises(StorageError, match="closed"):
        collection.upsert([new_item("a")])


@pytest.mark.parametrize("change", ["PRAGMA user_version = 99", "PRAGMA application_id = 1"])
def test_a_database_of_another_make_is_refused(tmp_path: Path, change: str) -> None:
    """A newer format and a database that is not ours are told apart from damage."""
    open_collection(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / "collection.sqlite3")) as connection:
        connection.execute(change)

    for read_only in (False, True):
        with pytest.raises(StorageError, match=r"format version 99|not one of a gallery"):
            open_collection(tmp_path, read_only=read_only)


def test_a_file_that_is_no_database_is_a_storage_error(tmp_path: Path) -> None:
    """Garbage in the place of the database is reported, and left alone."""
    (tmp_path / "collection.sqlite3").write_bytes(b"garbage" * 1000)

    with pytest.raises(StorageError, match="restore it from a backup"):
        open_collection(tmp_path)
    assert (tmp_path / "collection.sqlite3").read_bytes() == b"garbage" * 1000


def test_a_full_disk_refuses_the_write_and_keeps_the_rest(tmp_path: Path) -> None:
    """What does not fit is refused whole; reads go on, and writes do once there is room."""
    with open_collection(tmp_path) as collection:
        collection.upsert([new_item("a")])
        connection = collection._writer._connection  # type: ignore[union-attr] - the fault
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")
        big = {"text": "x" * 60_000}

        with pytest.raises(StorageFullError, match="nothing of the request was stored"):
            collection.upsert([new_item("b"), new_item("c", metadata=big)])
        assert ids_of(collection) == ["a"]
        assert collection.count() == 1

        connection.execute("PRAGMA max_page_count = 1000000")
        collection.upsert([new_item("b"), new_item("c", metadata=big)])
        assert ids_of(collection) == ["a", "b", "c"]


def damage(folder: Path, id: str) -> None:
    """Flip one bit of a stored vector."""
    with closing(sqlite3.connect(folder / "collection.sqlite3")) as connection, connection:
        row_id, blob = connection.execute(
            "SELECT row_id, vector FROM vectors JOIN items USING (row_id) WHERE id = ?", (id,)
        ).fetchone()
        changed = bytes([blob[0] ^ 1]) + blob[1:]
        connection.execute("UPDATE vectors SET vector = ? WHERE row_id = ?", (changed, row_id))


def test_a_damaged_vector_is_quarantined_and_mended(tmp_path: Path) -> None:
    """One flipped bit costs one item until it is added again, never the start."""
    with open_collection(tmp_path) as collection:
        collection.upsert([new_item("a"), new_item("b"), new_item("c")])
    damage(tmp_path, "b")

    with open_collection(tmp_path) as collection:
        assert collection.damaged == ("b",)
        assert ids_of(collection) == ["a", "c"]
        everything = parse_filter({"@id": {"exists": True}})
        found = collection.search(unit(1, 0, 0, 0), k=9, filter=everything)
        assert [hit.id for hit in found.hits] == ["a", "c"]
        assert collection.get("b").id == "b"
        with pytest.raises(StorageError, match="'b' is damaged"):
            collection.vectors(["b"])

        assert collection.upsert([new_item("b")]) == [Status.UPDATED]
        assert collection.damaged == ()
        assert ids_of(collection) == ["a", "b", "c"]


def test_an_index_that_fell_behind_catches_up(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """If applying a commit fails, the write stands and the next search sees it."""
    with open_collection(tmp_path) as collection:
        collection.upsert([new_item("a")])
        working = collection._live.index.upsert
        collection._live.index.upsert = _fail  # type: ignore[method-assign] - the fault
        collection.upsert([new_item("b")])
        collection._live.index.upsert = working  # type: ignore[method-assign] - mended

        assert ids_of(collection) == ["a", "b"]
        assert "index fell behind the store" in caplog.text


def _fail(*_: object) -> None:
    raise MemoryError
