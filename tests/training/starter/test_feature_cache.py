"""Features of pictures, computed once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.errors import TrainingError
from core.types import FloatArray, PixelArray
from training.starter.feature_cache import FeatureSet, cached_features
from training.starter.pictures import Picture
from training.starter.views import plain_view

SIDE = 8


def _picture(folder: Path, name: str, colour: tuple[int, int, int]) -> Picture:
    path = folder / f"{name}.png"
    Image.new("RGB", (6, 3), colour).save(path)
    return Picture(name, name, (name,), path)


def _mean_colour(pixels_NSS3: PixelArray) -> FloatArray:
    """A tower of three features."""
    return pixels_NSS3.mean(axis=(1, 2), dtype=np.float32)


def _refuse(pixels_NSS3: PixelArray) -> FloatArray:
    raise AssertionError(f"{len(pixels_NSS3)} pictures were computed again")


def _features(pictures: list[Picture], folder: Path, *, again: bool = False) -> FeatureSet:
    tower = _refuse if again else _mean_colour
    return cached_features(pictures, tower, folder / "cache.npy", views=2, side=SIDE)


def test_every_picture_has_its_views(tmp_path: Path) -> None:
    """The axes are pictures, views and features."""
    pictures = [_picture(tmp_path, "red", (255, 0, 0)), _picture(tmp_path, "blue", (0, 0, 255))]

    assert _features(pictures, tmp_path).features_NVF.shape == (2, 2, 3)


def test_features_are_computed_once(tmp_path: Path) -> None:
    """The second call reads the file and runs no tower."""
    pictures = [_picture(tmp_path, "red", (255, 0, 0))]
    first = _features(pictures, tmp_path)

    second = _features(pictures, tmp_path, again=True)

    assert second.pictures == first.pictures
    assert np.array_equal(second.features_NVF, first.features_NVF)


def test_an_unreadable_picture_harms_no_other(tmp_path: Path) -> None:
    """It is left out, and the rest keeps its order."""
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    pictures = [
        Picture("broken", "broken", ("broken",), broken),
        _picture(tmp_path, "blue", (0, 0, 255)),
    ]

    assert [one.name for one in _features(pictures, tmp_path).pictures] == ["blue"]


def test_a_set_without_a_readable_picture_is_refused(tmp_path: Path) -> None:
    """Training on nothing would be a mistake of the recipe."""
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")

    with pytest.raises(TrainingError, match="no picture"):
        _features([Picture("broken", "broken", ("broken",), broken)], tmp_path)


def test_the_plain_view_is_padded_with_white() -> None:
    """A wide picture fills the width and stands in the middle of the height."""
    view = plain_view(Image.new("RGBA", (8, 4), (255, 0, 0, 255)), SIDE)

    assert view[0, 4].tolist() == [255, 255, 255]
    assert view[4, 4].tolist() == [255, 0, 0]
