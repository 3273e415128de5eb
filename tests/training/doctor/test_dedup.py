"""Rules of training.doctor.dedup."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from core.pairs.pair import PairList
from core.pairs.reading import read_pairs
from tests.training.doctor.drawings import encoded, pairs_of, scene, write_pairs
from training.doctor.dedup import Against, DedupResult, DedupRules, dedup
from training.doctor.scan import scan_pictures

LARGE = encoded(scene(1, size=(192, 160)))
SMALL = encoded(scene(1, size=(96, 80)))
OTHER, THIRD = encoded(scene(2)), encoded(scene(3))


def run(
    pairs: PairList, rules: DedupRules | None = None, against: PairList | None = None
) -> DedupResult:
    """Scan and decide."""
    other = None if against is None else Against("other", against, scan_pictures(against))
    return dedup(pairs, scan_pictures(pairs), rules or DedupRules(), against=other)


def reasons(result: DedupResult) -> dict[str, str]:
    """Return why each pair went, empty for one that stays."""
    return {one.pair.id: one.reason for one in result.judged}


def captioned(folder: Path, captions: Mapping[str, list[str]]) -> PairList:
    """Write a copy of the same picture under each name."""
    return read_pairs(write_pairs(folder, dict.fromkeys(captions, SMALL), captions))


def test_the_picture_with_the_most_pixels_stays(tmp_path: Path) -> None:
    """The larger copy stands for the smaller one, wherever it comes."""
    files = {"a.png": SMALL, "b.png": OTHER, "c.png": LARGE}

    result = run(pairs_of(tmp_path, files))

    assert reasons(result) == {"a.png": "duplicate of c.png", "b.png": "", "c.png": ""}
    assert result.groups == [("c.png", ["a.png"])]
    assert result.kept == 2


def test_of_equal_pictures_the_most_captions_stay_then_the_first(tmp_path: Path) -> None:
    """Ties are decided by the order of the data."""
    result = run(captioned(tmp_path, {"a.png": ["x"], "b.png": ["y", "z"], "c.png": ["u", "v"]}))

    assert result.groups == [("b.png", ["a.png", "c.png"])]


def test_captions_are_merged_when_asked(tmp_path: Path) -> None:
    """Those of the kept pair first, and none twice."""
    pairs = captioned(tmp_path, {"a.png": ["A cat"], "b.png": ["a pet", "a  CAT"]})

    merged = run(pairs, DedupRules(merge_captions=True)).judged
    plain = run(pairs).judged

    assert merged[1].pair.captions == ("a pet", "a  CAT")
    assert plain[1].pair.captions == ("a pet", "a  CAT")
    more = captioned(tmp_path / "more", {"a.png": ["x"], "b.png": ["a", "b"]})
    assert run(more, DedupRules(merge_captions=True)).judged[1].pair.captions == ("a", "b", "x")


def test_exact_means_equal_files(tmp_path: Path) -> None:
    """A smaller copy is another file."""
    pairs = pairs_of(tmp_path, {"a.png": SMALL, "b.png": LARGE, "c.png": SMALL})

    result = run(pairs, DedupRules(near=None))

    assert result.groups == [("a.png", ["c.png"])]


def test_equal_captions_count_only_when_asked(tmp_path: Path) -> None:
    """Order, case and spaces make no difference; one more caption does."""
    files = {"a.png": SMALL, "b.png": OTHER, "c.png": THIRD}
    captions = {"a.png": ["one", "two"], "b.png": ["Two", "one"], "c.png": ["one"]}
    pairs = read_pairs(write_pairs(tmp_path, files, captions))

    assert run(pairs).kept == 3
    assert len(run(pairs, DedupRules(captions=True)).groups) == 1


def test_what_the_other_set_has_goes(tmp_path: Path) -> None:
    """The whole group goes, and the reason names the counterpart."""
    pairs = pairs_of(tmp_path / "a", {"a.png": SMALL, "b.png": LARGE, "c.png": OTHER})
    heldout = pairs_of(tmp_path / "b", {"x.png": LARGE})

    result = run(pairs, against=heldout)

    said = "the picture is x.png of other"
    assert reasons(result) == {"a.png": said, "b.png": said, "c.png": ""}
    assert (result.against, result.groups) == (2, [])


def test_captions_of_the_other_set_count_only_when_asked(tmp_path: Path) -> None:
    """The same words for another picture are a leak for whoever says so."""
    pairs = pairs_of(tmp_path / "a", {"a.png": SMALL})
    heldout = pairs_of(tmp_path / "b", {"a.png": OTHER})

    assert run(pairs, against=heldout).kept == 1
    said = reasons(run(pairs, DedupRules(captions=True), against=heldout))
    assert said == {"a.png": "the captions are those of a.png of other"}


def test_bad_pictures_go_with_their_reason(tmp_path: Path) -> None:
    """Nothing is known of them, so they stand for nothing; the report counts them."""
    rules = DedupRules()
    result = run(pairs_of(tmp_path, {"a.png": b"", "b.png": b"", "c.png": SMALL}), rules)

    assert reasons(result)["a.png"].startswith("cannot be used: the picture is empty")
    report = result.to_json(rules)
    assert (report["kept"], report["dropped"], report["unusable"]) == (1, 2, 2)
