"""Rules of evaluation.tuning_data: which pictures and captions a model is tuned with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.errors import UsageError
from core.pairs.pair import Pair
from encoders.preprocessing import Preprocessing
from evaluation.tuning_data import LEAST_PICTURES, TuningData, read_tuning_data
from tests.fakes import COLOURS, picture_bytes

PREPROCESSING = Preprocessing(image_size=8)


def written(folder: Path, count: int) -> list[Pair]:
    """Write pictures of several colours, two captions each."""
    names = list(COLOURS)
    pairs = []
    for number in range(count):
        path = folder / f"{number:03d}.png"
        path.write_bytes(picture_bytes(names[number % len(names)]))
        pairs.append(Pair(id=f"p{number}", image=path, captions=(f"one {number}", f"two {number}")))
    return pairs


def test_pictures_and_captions_stay_together(tmp_path: Path) -> None:
    """What cannot be read and what has no caption is named, and the rows of the others close up."""
    pairs = written(tmp_path, LEAST_PICTURES + 3)
    (tmp_path / "001.png").write_bytes(b"not a picture")
    (tmp_path / "002.png").unlink()
    pairs[4] = Pair(id="p4", image=pairs[4].image, captions=())

    data = read_tuning_data(pairs, PREPROCESSING, source="here")

    assert data.pixels_MSS3.shape == (LEAST_PICTURES, 8, 8, 3)
    assert list(data.skipped) == ["p1", "p2", "p4"]
    assert data.captions[:6] == ("one 0", "two 0", "one 3", "two 3", "one 5", "two 5")
    assert data.picture_of_C[:6] == (0, 0, 1, 1, 2, 2)


def test_too_few_pictures_are_refused(tmp_path: Path) -> None:
    """The message says how many there are and how many it takes."""
    with pytest.raises(UsageError, match=r"here has 3 readable pictures.*at least 50"):
        read_tuning_data(written(tmp_path, 3), PREPROCESSING, source="here")


@pytest.mark.parametrize(("pictures", "calibrated"), [(6, [0, 3]), (7, [0, 3, 6])])
def test_a_third_is_for_calibration(pictures: int, calibrated: list[int]) -> None:
    """Spread over all; the others are held out."""
    data = TuningData("here", np.zeros((pictures, 1, 1, 3), np.uint8), (), (), {})

    assert data.calibration_rows == calibrated
    assert sorted([*data.calibration_rows, *data.held_out_rows]) == list(range(pictures))


def test_calibration_has_an_end() -> None:
    """More than 300 pictures change nothing but the time."""
    data = TuningData("here", np.zeros((3000, 1, 1, 3), np.uint8), (), (), {})

    assert len(data.calibration_rows) == 300
