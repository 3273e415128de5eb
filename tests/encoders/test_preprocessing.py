"""Rules of encoders.preprocessing: the pixels are open_clip's."""

from __future__ import annotations

import io

import numpy as np
import pytest
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image

from core.errors import ConfigError, ImageError
from encoders import preprocessing as module
from encoders.preprocessing import (
    Interpolation,
    Preprocessing,
    ResizeMode,
    normalise_pixels,
    preprocess,
    preprocess_bytes,
)

SIZES = [
    (640, 480),
    (480, 640),
    (333, 334),
    (224, 224),
    (225, 224),
    (17, 33),
    (1000, 63),
    (63, 1000),
    (31, 500),
    (3, 2),
    (1, 1),
]


def noise(width: int, height: int) -> Image.Image:
    """Return a picture in which every wrong pixel shows."""
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("resize_mode", ["shortest", "longest", "squash"])
@pytest.mark.parametrize("image_size", [32, 33])
def test_pixels_are_those_of_open_clip(
    size: tuple[int, int], resize_mode: ResizeMode, image_size: int
) -> None:
    """Bit for bit, up to the normalised values a model sees, for tall, wide, tiny and odd sizes.

    Of pictures of twice the model's size and more, few values may be off by one level.
    """
    ours = Preprocessing(image_size=image_size, resize_mode=resize_mode, fill_color=7)
    theirs = image_transform_v2(
        PreprocessCfg(size=image_size, resize_mode=resize_mode, fill_color=7), is_train=False
    )
    picture = noise(*size)
    is_cropped_first = resize_mode == "shortest" and min(size) >= 2 * image_size

    normalised_N3SS = normalise_pixels(preprocess(picture, ours)[None], ours)

    difference_3SS = np.abs(normalised_N3SS[0] - theirs(picture).numpy())
    # One of 255 levels, in units of the smallest standard deviation.
    assert difference_3SS.max() <= (1.001 / 255 / min(ours.std) if is_cropped_first else 0)
    assert np.count_nonzero(difference_3SS) <= difference_3SS.size / 100


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
def test_both_filters_are_those_of_open_clip(interpolation: Interpolation) -> None:
    """At the size of real models."""
    ours = Preprocessing(interpolation=interpolation)
    theirs = image_transform_v2(PreprocessCfg(interpolation=interpolation), is_train=False)
    picture = noise(500, 333)

    normalised_N3SS = normalise_pixels(preprocess(picture, ours)[None], ours)

    np.testing.assert_array_equal(normalised_N3SS[0], theirs(picture).numpy())


def test_an_undrafted_jpeg_has_the_pixels_of_open_clip() -> None:
    """A JPEG below four times the size of the model is decoded at full scale."""
    buffer = io.BytesIO()
    noise(100, 90).save(buffer, "JPEG")
    theirs = image_transform_v2(PreprocessCfg(size=32), is_train=False)
    ours = Preprocessing(image_size=32)

    pixels_SS3 = preprocess_bytes(buffer.getvalue(), ours)

    np.testing.assert_array_equal(
        normalise_pixels(pixels_SS3[None], ours)[0], theirs(Image.open(buffer)).numpy()
    )


def test_a_large_jpeg_decoded_at_reduced_scale_hardly_differs() -> None:
    """A smooth photograph-like picture differs by less than half a level on average."""
    rows, columns = np.mgrid[0:900, 0:1200]
    levels = 128 + 60 * np.sin(columns / 40)[..., None] + 50 * np.cos(rows / 30)[..., None]
    picture = Image.fromarray(np.broadcast_to(levels, (900, 1200, 3)).astype(np.uint8))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=90)
    ours = Preprocessing(image_size=64)

    fast_SS3 = preprocess_bytes(buffer.getvalue(), ours)
    exact_SS3 = preprocess(Image.open(buffer).convert("RGB"), ours)

    assert np.abs(fast_SS3.astype(int) - exact_SS3).mean() < 0.5


def test_a_long_strip_is_resized_only_where_it_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """The middle of a strip comes out nearly as if the whole strip had been resized."""
    levels_W = (128 + 100 * np.sin(np.arange(2000) / 20)).astype(np.uint8)
    strip = Image.fromarray(np.broadcast_to(levels_W[None, :, None], (20, 2000, 3)).copy())
    whole_SS3 = preprocess(strip, Preprocessing(image_size=32))

    monkeypatch.setattr(module, "_MAX_RESIZED_PIXELS", 1000)

    cut_SS3 = preprocess(strip, Preprocessing(image_size=32))
    assert np.abs(cut_SS3.astype(int) - whole_SS3).max() <= 1


def test_the_longest_strip_costs_little_memory() -> None:
    """20000 x 1 pixels would be a gigabyte when it is resized as a whole."""
    assert preprocess(noise(20_000, 1), Preprocessing()).shape == (224, 224, 3)
    longest = Preprocessing(resize_mode="longest")
    assert preprocess(noise(20_000, 1), longest).shape == (224, 224, 3)


def test_normalising_worked_out_by_hand() -> None:
    """(255 / 255 - 0.5) / 0.25 is 2 and (0 - 0.5) / 0.25 is -2; channels come first."""
    half = Preprocessing(image_size=1, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))
    pixels_NSS3 = np.array([[[[255, 0, 255]]]], np.uint8)

    assert normalise_pixels(pixels_NSS3, half).tolist() == [[[[2.0]], [[-2.0]], [[2.0]]]]


def test_bad_bytes_stay_an_image_error() -> None:
    """Preprocessing adds no error of its own."""
    with pytest.raises(ImageError):
        preprocess_bytes(b"nothing", Preprocessing())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("image_size", 0),
        ("image_size", 4097),
        ("mean", (0.5, 0.5)),
        ("std", (0.0, 1.0, 1.0)),
        ("std", (float("nan"), 1.0, 1.0)),
    ],
)
def test_preprocessing_that_makes_no_sense_is_refused(field: str, value: object) -> None:
    """Sizes and statistics out of range are named."""
    with pytest.raises(ConfigError, match=field):
        Preprocessing(**{field: value})
