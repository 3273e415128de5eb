"""Rules of training.doctor.picture_stats."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from tests.training.doctor.drawings import encoded, pairs_of
from training.doctor.picture_stats import picture_stats
from training.doctor.scan import scan_pictures

SIZES = [(63, 63), (64, 100), (128, 127), (100, 200), (300, 130), (224, 224)]


def test_sizes_and_shapes_are_counted(tmp_path: Path) -> None:
    """A bin holds its lower edge; bins without pictures stay inside, not at the ends."""
    files = {f"{width}x{height}.png": encoded(Image.new("RGB", (width, height), "red"))
             for width, height in SIZES}  # fmt: skip
    files["bad.png"] = b""
    stats = picture_stats(scan_pictures(pairs_of(tmp_path, files)), image_size=128)

    assert stats.shorter_side == {"below 64": 1, "64 to 127": 3, "128 to 223": 1, "224 to 335": 1}
    assert stats.shape == {"1:2 to 3:4": 2, "3:4 to 4:3": 3, "2:1 and above": 1}
    assert stats.smaller_than_model == 4
    assert stats.median_side == 113
    assert stats.formats == {"PNG": 6}


def test_formats_are_those_of_the_bytes(tmp_path: Path) -> None:
    """The most frequent comes first; the suffix does not count."""
    image = Image.new("RGB", (20, 20), "red")
    files = {
        "a.png": encoded(image, "JPEG"),
        "b.png": encoded(image, "JPEG"),
        "c.jpg": encoded(image),
    }

    stats = picture_stats(scan_pictures(pairs_of(tmp_path, files)), image_size=16)

    assert list(stats.formats.items()) == [("JPEG", 2), ("PNG", 1)]


def test_no_usable_picture_is_no_error(tmp_path: Path) -> None:
    """Everything is zero."""
    stats = picture_stats(scan_pictures(pairs_of(tmp_path, {"a.png": b""})), image_size=16)

    assert (stats.shorter_side, stats.shape, stats.median_side, stats.mean_bytes) == ({}, {}, 0, 0)
