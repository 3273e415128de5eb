"""Rules of index.judgements: marks are durable, countable, removable, and of pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from core.errors import QueryError, UsageError
from index.adding import NewImage
from index.backup import write_backup
from index.backup_reading import restore_backup
from index.compaction import compact
from index.doctor import examine
from index.gallery import Gallery
from index.judged_queries import JudgedQuery, judged_query
from index.judgements import (
    MOST_MARKS,
    ForgetQuery,
    Judge,
    judged_queries,
    judged_query_page,
    judgements_of,
    summary_of_query,
)
from tests.fakes import FakeEncoder, picture_bytes

COLOURS = ("red", "green", "blue", "black")
RED = judged_query("red")


@pytest.fixture
def gallery(tmp_path: Path) -> Iterator[Gallery]:
    """Yield a gallery of four colours."""
    with Gallery.open(tmp_path / "gallery", FakeEncoder()) as opened:
        opened.add([NewImage(picture_bytes(colour), id=colour) for colour in COLOURS])
        yield opened


def judge(
    gallery: Gallery, grades: Mapping[str, int | None], query: JudgedQuery = RED
) -> tuple[str, ...]:
    """Mark items and return the unknown ones."""
    return gallery.collection.write(Judge(query, grades))


def grades_of(gallery: Gallery, query: JudgedQuery = RED) -> dict[str, int]:
    """Return the grades that count."""
    marks = judgements_of(gallery.collection.store, [query])[query.id]
    return {mark.item_id: mark.grade for mark in marks if mark.present}


def test_marks_are_kept_and_changed_and_taken_back(gallery: Gallery) -> None:
    """The newest mark of an item holds; ``None`` takes it away."""
    judge(gallery, {"red": 1, "green": 0, "blue": 1})
    judge(gallery, {"blue": 0, "green": None})

    assert grades_of(gallery) == {"red": 1, "blue": 0}


def test_marks_are_durable(gallery: Gallery) -> None:
    """What was acknowledged is there for the next process, and for a reader beside it."""
    judge(gallery, {"red": 1})
    with Gallery.open(gallery.folder, FakeEncoder(), read_only=True) as reader:
        assert grades_of(reader) == {"red": 1}
    gallery.close()

    with Gallery.open(gallery.folder, FakeEncoder()) as again:
        assert grades_of(again) == {"red": 1}


def test_the_last_mark_takes_the_query_with_it(gallery: Gallery) -> None:
    """A query without marks is not listed."""
    judge(gallery, {"red": 1})
    judge(gallery, {"red": None})

    assert judged_queries(gallery.collection.store) == []


def test_unknown_items_are_named_and_harm_no_neighbour(gallery: Gallery) -> None:
    """They get no mark; the others do."""
    assert judge(gallery, {"red": 1, "nobody": 1, "gone": None}) == ("nobody",)
    assert grades_of(gallery) == {"red": 1}


def test_queries_are_counted(gallery: Gallery) -> None:
    """Right, wrong, and marks of what is gone; the text is that of the first time."""
    judge(gallery, {"red": 1, "green": 0, "blue": 0})
    judge(gallery, {"black": 1}, judged_query("  red "))
    gallery.delete(["blue"])

    (found,) = judged_queries(gallery.collection.store)

    assert (found.query.text, found.right, found.wrong, found.gone) == ("red", 2, 1, 1)
    assert summary_of_query(gallery.collection.store, RED) == found


def test_a_mark_rests_while_its_item_is_deleted(gallery: Gallery) -> None:
    """It counts nowhere, and again when the same picture is back."""
    judge(gallery, {"red": 1})
    gallery.delete(["red"])
    assert grades_of(gallery) == {}

    gallery.add([NewImage(picture_bytes("red"), id="red")])

    assert grades_of(gallery) == {"red": 1}


def test_a_mark_is_of_the_picture_not_of_the_name(gallery: Gallery) -> None:
    """Another picture under the id was never judged."""
    judge(gallery, {"red": 1})

    gallery.add([NewImage(picture_bytes("white"), id="red")])

    assert grades_of(gallery) == {}


def test_a_filter_and_a_mode_come_back_as_they_were(gallery: Gallery) -> None:
    """So that the query can be asked again."""
    query = judged_query("red", mode="hybrid", filter={"year": {"gte": 2020}})
    judge(gallery, {"red": 1}, query)

    (found,) = judged_queries(gallery.collection.store)

    assert found.query == query


def test_all_marks_of_a_query_are_forgotten_at_once(gallery: Gallery) -> None:
    """Those of other queries stay."""
    other = judged_query("green")
    judge(gallery, {"red": 1, "blue": 0})
    judge(gallery, {"green": 1}, other)

    assert gallery.collection.write(ForgetQuery(RED)) == 2
    assert gallery.collection.write(ForgetQuery(RED)) == 0
    assert [one.query.id for one in judged_queries(gallery.collection.store)] == [other.id]


def test_a_gallery_without_marks_has_none(gallery: Gallery) -> None:
    """Galleries of earlier releases have no tables for them."""
    store = gallery.collection.store

    assert judged_queries(store) == []
    assert judgements_of(store, [RED]) == {RED.id: ()}
    assert summary_of_query(store, RED) is None
    assert gallery.collection.write(ForgetQuery(RED)) == 0


def test_pages_go_on_without_gaps_or_repeats(gallery: Gallery) -> None:
    """Also where several queries were judged in the same millisecond."""
    for number in range(7):
        judge(gallery, {"red": 1}, judged_query(f"query {number}"))
    store = gallery.collection.store
    everything = [one.query.id for one in judged_queries(store)]

    found, cursor = [], None
    while True:
        page = judged_query_page(store, cursor=cursor, limit=3)
        found += [one.query.id for one in page.queries]
        cursor = page.cursor
        if cursor is None:
            break

    assert found == everything
    assert len(set(found)) == 7
    assert [one.query.id for one in judged_queries(store, most=2)] == everything[:2]


def test_a_cursor_of_something_else_is_refused(gallery: Gallery) -> None:
    """It would lead nowhere."""
    foreign = gallery.collection.scroll(limit=1).cursor

    with pytest.raises(QueryError, match="cursor"):
        judged_query_page(gallery.collection.store, cursor=foreign)


@pytest.mark.parametrize(
    "grades", [{}, {"red": 2}, {"red": -1}, dict.fromkeys(map(str, range(MOST_MARKS + 1)), 1)]
)
def test_marks_that_cannot_be_stored_are_refused(grades: dict[str, int | None]) -> None:
    """None, too many, or another grade."""
    with pytest.raises(UsageError):
        Judge(RED, grades)


def test_marks_survive_backup_and_compaction(gallery: Gallery, tmp_path: Path) -> None:
    """They are part of the record."""
    judge(gallery, {"red": 1, "green": 0})
    gallery.close()
    write_backup(gallery.folder, tmp_path / "backup.tar")
    restore_backup(tmp_path / "backup.tar", tmp_path / "restored")
    compact(tmp_path / "restored")

    with Gallery.open(tmp_path / "restored", FakeEncoder()) as restored:
        assert grades_of(restored) == {"red": 1, "green": 0}
        assert examine(restored.collection).faults == ()
