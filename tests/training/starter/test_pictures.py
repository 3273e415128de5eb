"""Rules of training.starter.pictures."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from training.starter.pictures import Picture, PictureError, render


def picture_of(path: Path) -> Picture:
    """Return a captioned picture of the file."""
    return Picture("set/name", "thing", ("a thing",), path)


def test_a_picture_becomes_256_pixels_long(tmp_path: Path) -> None:
    """The longer side is 256 pixels and transparency stays."""
    Image.new("RGBA", (512, 128), (255, 0, 0, 0)).save(tmp_path / "a.png")

    image = render(picture_of(tmp_path / "a.png"))

    assert (image.mode, image.size) == ("RGBA", (256, 64))


@pytest.mark.parametrize("side", [4000, 14_000])
def test_a_huge_picture_is_left_out(tmp_path: Path, side: int) -> None:
    """More pixels than we render, or than Pillow opens at all, cost this picture only."""
    Image.new("1", (side, side)).save(tmp_path / "huge.png")

    with pytest.raises(PictureError):
        render(picture_of(tmp_path / "huge.png"))


def test_a_damaged_picture_is_left_out(tmp_path: Path) -> None:
    """Bytes that are no picture cost this picture only."""
    (tmp_path / "a.png").write_bytes(b"no picture")

    with pytest.raises(PictureError, match="cannot be rendered"):
        render(picture_of(tmp_path / "a.png"))
