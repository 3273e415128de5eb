"""Rules of training.doctor.duplicates and training.doctor.leakage."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.training.doctor.drawings import encoded, pairs_of, scene
from training.doctor.duplicates import find_duplicates, joined_groups
from training.doctor.leakage import Leak, find_leakage
from training.doctor.scan import scan_pictures

ONE, TWO, THREE = (encoded(scene(seed)) for seed in (1, 2, 3))
ONE_SMALL = encoded(scene(1).resize((48, 40)), "JPEG", quality=85)


def test_copies_and_pictures_that_look_alike_are_told_apart(tmp_path: Path) -> None:
    """A group of equal files alone is not repeated among those that look alike."""
    files = {"a.png": ONE, "b.png": TWO, "c.jpg": ONE_SMALL, "d.png": TWO, "e.png": THREE}
    pairs = pairs_of(tmp_path, files)

    found = find_duplicates(pairs, scan_pictures(pairs))

    assert found.same_file == [["b.png", "d.png"]]
    assert found.alike == [["a.png", "c.jpg"]]


def test_bad_pictures_are_no_duplicates(tmp_path: Path) -> None:
    """Two empty files are not the same picture."""
    pairs = pairs_of(tmp_path, {"a.png": b"", "b.png": b"", "c.png": ONE})

    found = find_duplicates(pairs, scan_pictures(pairs))

    assert (found.same_file, found.alike) == ([], [])


def test_groupings_are_joined() -> None:
    """Rows 0 and 2 by the first, 2 and 3 by the second grouping are one group."""
    joined = joined_groups(np.array([0, 1, 0, 3]), np.array([0, 1, 2, 2]))

    assert joined.tolist() == [0, 1, 0, 0]


def test_leaks_name_both_sides(tmp_path: Path) -> None:
    """A file of the held-out set, and a picture that looks like one, each with its counterpart."""
    pairs = pairs_of(tmp_path / "train", {"a.png": ONE_SMALL, "b.png": TWO, "c.png": THREE})
    heldout = pairs_of(tmp_path / "val", {"x.png": b"", "y.png": ONE, "b.png": TWO})

    found = find_leakage(pairs, scan_pictures(pairs), heldout, scan_pictures(heldout), name="val")

    assert found.same_file == [Leak("b.png", "b.png")]
    assert found.alike == [Leak("a.png", "y.png")]
    assert (found.pairs, found.unusable) == (3, 1)
    assert (found.captions, found.captions_seen) == (3, 1)
