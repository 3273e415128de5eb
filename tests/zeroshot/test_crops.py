"""Rules of zeroshot.crops and encoders.crops.

# N = images, V = views, D = embedding dimension
"""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from core.errors import UsageError
from encoders.crops import corner_boxes, preprocess_view_bytes, preprocess_views
from encoders.preprocessing import Preprocessing, preprocess, preprocess_bytes
from tests.fakes import picture_bytes
from zeroshot.crops import mean_of_views

SMALL = Preprocessing(image_size=8)


def gradient(width: int, height: int) -> Image.Image:
    """Return a picture whose red grows to the right and whose green grows downwards."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[..., 0] = np.linspace(0, 255, width)[None, :]
    pixels[..., 1] = np.linspace(0, 255, height)[:, None]
    return Image.fromarray(pixels)


def test_one_view_is_the_picture_as_it_is_searched_for() -> None:
    """Bit for bit, from a decoded picture and from bytes."""
    picture, data = gradient(40, 24), picture_bytes("red")

    np.testing.assert_array_equal(
        preprocess_views(picture, SMALL, crops=1), [preprocess(picture, SMALL)]
    )
    np.testing.assert_array_equal(
        preprocess_view_bytes(data, SMALL, crops=1), [preprocess_bytes(data, SMALL)]
    )


def test_five_views_are_the_picture_and_its_corners() -> None:
    """Top left is dark, top right red, bottom left green, bottom right both."""
    views = preprocess_views(gradient(64, 32), SMALL, crops=5).astype(float)
    red_V, green_V = views[..., 0].mean(axis=(1, 2)), views[..., 1].mean(axis=(1, 2))

    assert views.shape == (5, 8, 8, 3)
    np.testing.assert_array_equal(views[0], preprocess(gradient(64, 32), SMALL))
    assert red_V[1] == pytest.approx(red_V[3], abs=1)
    assert red_V[2] == pytest.approx(red_V[4], abs=1)
    assert red_V[1] < red_V[0] < red_V[2]
    assert green_V[1] < green_V[0] < green_V[3]


def test_ten_views_are_five_and_their_mirror_images() -> None:
    """Left becomes right, nothing else."""
    views = preprocess_views(gradient(64, 32), SMALL, crops=10)

    assert views.shape == (10, 8, 8, 3)
    np.testing.assert_array_equal(views[5:], views[:5, :, ::-1])


def test_corners_are_seven_eighths_of_a_side() -> None:
    """Squares of the shorter side where the model crops; of each side where it squashes or pads."""
    assert corner_boxes((64, 32), squares=True) == [
        (0, 0, 28, 28),
        (36, 0, 64, 28),
        (0, 4, 28, 32),
        (36, 4, 64, 32),
    ]
    assert corner_boxes((64, 32), squares=False) == [
        (0, 0, 56, 28),
        (8, 0, 64, 28),
        (0, 4, 56, 32),
        (8, 4, 64, 32),
    ]


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (50, 1), (3000, 2)])
@pytest.mark.parametrize("mode", ["shortest", "longest", "squash"])
def test_any_picture_has_ten_views(size: tuple[int, int], mode: str) -> None:
    """One pixel and long strips too."""
    preprocessing = Preprocessing(image_size=8, resize_mode=mode)  # type: ignore[arg-type]  # of a list
    views = preprocess_views(Image.new("RGB", size, (9, 8, 7)), preprocessing, crops=10)

    assert views.shape == (10, 8, 8, 3)


def test_the_embedding_is_the_unit_mean_of_unit_views() -> None:
    """Each view counts the same, whatever its length."""
    views_XD = np.array([[5.0, 0.0], [0.0, 0.1], [0.0, 1.0], [0.0, 2.0]], np.float32)

    found_ND = mean_of_views(views_XD, crops=2)

    half = 0.5**0.5
    np.testing.assert_allclose(found_ND, [[half, half], [0.0, 1.0]], atol=1e-7)


def test_one_view_is_left_as_it_is() -> None:
    """The very same numbers that search uses."""
    views_XD = np.array([[0.6, 0.8]], np.float32)

    assert mean_of_views(views_XD, crops=1) is views_XD


def test_another_number_of_views_is_refused() -> None:
    """1, 5 or 10; and rows that are as many views of each picture."""
    buffer = io.BytesIO()
    gradient(8, 8).save(buffer, "PNG")

    with pytest.raises(UsageError, match="expected 1, 5 or 10"):
        preprocess_view_bytes(buffer.getvalue(), SMALL, crops=2)
    with pytest.raises(UsageError, match="not 5 views"):
        mean_of_views(np.ones((6, 2), np.float32), crops=5)
    with pytest.raises(UsageError, match="cancel each other"):
        mean_of_views(np.array([[1.0, 0.0], [-1.0, 0.0]], np.float32), crops=2)
