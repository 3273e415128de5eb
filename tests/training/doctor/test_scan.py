"""Rules of training.doctor.scan."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.pairs.pair import PairList
from core.progress import SilentProgress
from tests.training.doctor.drawings import encoded, pairs_of, scene
from training.doctor.picture import Trait
from training.doctor.scan import scan_pictures


@pytest.fixture
def pairs(tmp_path: Path) -> PairList:
    """Write forty pictures; every tenth is broken, and the last is a copy of the first."""
    files = {f"{number:02}.png": encoded(scene(number, size=(30, 20))) for number in range(39)}
    for number in (5, 15, 25):
        files[f"{number:02}.png"] = b"broken"
    files["39.png"] = files["00.png"]
    return pairs_of(tmp_path, files)


def test_the_rows_are_those_of_the_pairs(pairs: PairList) -> None:
    """Columns of a bad picture hold zeros, and it is named."""
    scan = scan_pictures(pairs)

    assert [bad.id for bad in scan.bad] == ["05.png", "15.png", "25.png"]
    assert np.flatnonzero(~scan.good_N).tolist() == [5, 15, 25]
    assert set(scan.width_N[scan.good_N].tolist()) == {30}
    assert set(scan.height_N[scan.good_N].tolist()) == {20}
    assert scan.width_N[5] == scan.bytes_N[5] == 0
    assert scan.with_trait(Trait.ALPHA) == 0


def test_equal_files_share_a_number_and_bad_ones_do_not(pairs: PairList) -> None:
    """Three broken files with the same bytes are not one picture."""
    same = scan_pictures(pairs).same_file()

    assert same[39] == same[0]
    assert len(set(same.tolist())) == 39


def test_the_number_of_threads_changes_nothing(pairs: PairList) -> None:
    """One thread and five find the same in the same order."""
    one, five = scan_pictures(pairs, threads=1), scan_pictures(pairs, threads=5)

    assert one.bad == five.bad
    assert one.digest_N16.tobytes() == five.digest_N16.tobytes()
    assert one.prints.hash_N.tolist() == five.prints.hash_N.tolist()
    assert one.prints.cells_N48.tobytes() == five.prints.cells_N48.tobytes()


class _Interrupted(SilentProgress):
    """Ctrl-C at the first report."""

    def advance(self, count: int = 1, **fields: str | float) -> None:
        """Interrupt."""
        raise KeyboardInterrupt


def test_ctrl_c_ends_it(pairs: PairList) -> None:
    """The interrupt reaches the caller, and no thread stays behind."""
    import threading

    with pytest.raises(KeyboardInterrupt):
        scan_pictures(pairs, progress=lambda *_, **__: _Interrupted())

    assert not [thread for thread in threading.enumerate() if thread.name.startswith("look")]
