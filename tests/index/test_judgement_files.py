"""Rules of index.judgement_files and index.judged_pairs: files that say what was marked."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
import pytrec_eval

from core.errors import PairsError
from core.measures.trec import read_qrels, read_run
from core.pairs.image_file import FileSlice
from core.pairs.reading import read_pairs
from evaluation.score import evaluate_run
from index.adding import NewImage
from index.export import export_gallery
from index.export_reading import import_export
from index.gallery import Gallery
from index.judged_pairs import JudgedPairs, write_judged_pairs
from index.judged_queries import judged_query
from index.judgement_files import (
    jsonl_text,
    judged_sets,
    qrels_text,
    queries_text,
    read_judgements,
    run_text,
)
from index.judgement_quality import live_quality
from index.judgements import Judge, judgements_of
from index.media import MediaStore
from tests.fakes import FakeEncoder, picture_bytes

COLOURS = ("red", "green", "blue", "black")
RED = judged_query("red")
HARD = judged_query("green\t -red", mode="hybrid", filter={"@id": {"ne": "black"}})


@pytest.fixture
def gallery(tmp_path: Path) -> Iterator[Gallery]:
    """Yield a gallery of four colours with marks of two queries; one id has white space."""
    with Gallery.open(tmp_path / "gallery", FakeEncoder()) as opened:
        opened.add([NewImage(picture_bytes(colour), id=colour) for colour in COLOURS])
        opened.add([NewImage(picture_bytes("white"), id="a white one")])
        opened.collection.write(Judge(RED, {"red": 1, "green": 0, "a white one": 1}))
        opened.collection.write(Judge(HARD, {"green": 1, "blue": 0}))
        yield opened


def test_the_run_scored_against_the_qrels_is_the_live_quality(
    gallery: Gallery, tmp_path: Path
) -> None:
    """`sightline evaluate score` reads both files and says the same, and so does trec_eval."""
    sets = judged_sets(gallery.collection.store)
    found = {
        one.query.id: [hit.id for hit in gallery.search(one.query.query(k=5)).hits] for one in sets
    }
    (tmp_path / "qrels.trec").write_text(qrels_text(sets))
    (tmp_path / "run.trec").write_text(run_text(found))
    qrels, run = read_qrels(tmp_path / "qrels.trec"), read_run(tmp_path / "run.trec")

    report = evaluate_run(qrels, run, ks=(2,))
    live = live_quality(gallery, [one.query for one in sets], k=2)
    peer = pytrec_eval.RelevanceEvaluator(qrels, {"P_2", "recall_2"}).evaluate(run)

    for name in ("judged@2", "judged_precision@2", "ndcg@2"):
        assert live.mean[name].value == report.metrics[name].value
    for name, measure in (("precision@2", "P_2"), ("recall@2", "recall_2")):
        value = live.mean[name].value
        assert value == report.metrics[name].value
        assert value == pytest.approx(sum(row[measure] for row in peer.values()) / len(peer))


def test_queries_have_a_line_each_with_the_ids_of_the_qrels(gallery: Gallery) -> None:
    """Id, tab, text; a tab within the text is white space."""
    sets = judged_sets(gallery.collection.store)

    lines = queries_text(sets).splitlines()

    assert sorted(lines) == sorted([f"{RED.id}\tred", f"{HARD.id}\tgreen -red"])
    assert {line.split("\t")[0] for line in lines} == {
        line.split()[0] for line in qrels_text(sets).splitlines()
    }


def test_lines_of_json_lose_nothing(gallery: Gallery, tmp_path: Path) -> None:
    """Query, mode, filter, grade and picture are read back as they were."""
    store = gallery.collection.store
    before = jsonl_text(judged_sets(store))
    (tmp_path / "marks.jsonl").write_text(before)
    with Gallery.open(tmp_path / "other", FakeEncoder()) as other:
        for change in read_judgements(tmp_path / "marks.jsonl"):
            other.collection.write(change)
        queries = {one.query for one in judged_sets(other.collection.store)}
        marks = judgements_of(other.collection.store, [HARD])[HARD.id]

    assert queries == {RED, HARD}
    assert [(mark.item_id, mark.grade, mark.present) for mark in marks] == [
        ("blue", 0, False),
        ("green", 1, False),
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "not valid JSON"),
        ("[]", "expected a JSON object"),
        ('{"query": "a", "grade": 1}', "'item_id' is missing"),
        ('{"query": "a", "item_id": "b", "grade": 3}', "give 1"),
        ('{"query": "a", "item_id": "b", "grade": "yes"}', "give 1"),
        ('{"query": "a", "item_id": "b", "grade": 1, "mode": "magic"}', "unknown mode"),
        ('{"query": "", "item_id": "b", "grade": 1}', "empty"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, reason: str) -> None:
    """With file, number and reason."""
    path = tmp_path / "marks.jsonl"
    path.write_text(f'{{"query": "a", "item_id": "b", "grade": 1}}\n{line}\n')

    with pytest.raises(PairsError, match=reason) as caught:
        read_judgements(path)

    assert f"{path}:2" in str(caught.value)


def test_marks_go_with_an_exported_gallery(gallery: Gallery, tmp_path: Path) -> None:
    """And come back with its items."""
    gallery.close()
    export_gallery(gallery.folder, tmp_path / "export", table="jsonl", images=True)
    import_export(tmp_path / "export", tmp_path / "again", encoder_id=None)

    with Gallery.open(tmp_path / "again", FakeEncoder()) as again:
        marks = {one.query: one.grades for one in judged_sets(again.collection.store)}

    assert marks == {
        RED: {"red": 1, "green": 0, "a white one": 1},
        HARD: {"green": 1, "blue": 0},
    }


def test_an_export_without_marks_has_no_file_of_them(tmp_path: Path) -> None:
    """Nothing is written of nothing."""
    with Gallery.open(tmp_path / "gallery", FakeEncoder()) as opened:
        opened.add([NewImage(picture_bytes("red"), id="red")])
    export_gallery(tmp_path / "gallery", tmp_path / "export", table="jsonl")

    assert not (tmp_path / "export" / "judgements.jsonl").exists()


def pairs_of(gallery: Gallery, path: Path) -> JudgedPairs:
    """Write the pairs of a gallery."""
    store = gallery.collection.store
    with path.open("wb") as file:
        return write_judged_pairs(store, MediaStore(gallery.folder), judged_sets(store), file)


def test_right_hits_are_training_pairs(gallery: Gallery, tmp_path: Path) -> None:
    """The picture with every query that it answers as a caption; what core.pairs reads."""
    gallery.collection.write(Judge(judged_query("a colour"), {"red": 1, "blue": 0}))

    summary = pairs_of(gallery, tmp_path / "pairs.tar")
    pairs = read_pairs(tmp_path / "pairs.tar")

    assert summary == JudgedPairs(2, 3, ("green\t -red",), ())
    assert {pair.metadata["item_id"]: set(pair.captions) for pair in pairs} == {
        "red": {"red", "a colour"},
        "a white one": {"red"},
    }
    red = next(pair.image for pair in pairs if pair.metadata["item_id"] == "red")
    assert isinstance(red, FileSlice)
    assert red.read() == picture_bytes("red")
    assert not pairs.skipped


def test_a_picture_whose_file_is_gone_is_named(tmp_path: Path) -> None:
    """The other pairs are written."""
    here = tmp_path / "red.png"
    here.write_bytes(picture_bytes("red"))
    with Gallery.open(tmp_path / "gallery", FakeEncoder()) as opened:
        opened.add([NewImage(here.read_bytes(), id="red", source=str(here), copy=False)])
        opened.add([NewImage(picture_bytes("green"), id="green")])
        opened.collection.write(Judge(RED, {"red": 1, "green": 1}))
        here.unlink()

        summary = pairs_of(opened, tmp_path / "pairs.tar")

    assert (summary.pictures, summary.without_picture) == (1, ("red",))


def test_no_marks_make_an_empty_tar(tmp_path: Path) -> None:
    """It is a tar all the same."""
    with Gallery.open(tmp_path / "gallery", FakeEncoder()) as opened:
        store = opened.collection.store
        file = io.BytesIO()
        summary = write_judged_pairs(store, MediaStore(opened.folder), [], file)

    assert summary == JudgedPairs(0, 0, (), ())
    assert file.getvalue().strip(b"\0") == b""
