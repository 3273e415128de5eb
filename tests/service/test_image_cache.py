"""Embeddings of uploaded images are remembered by content, and never the wrong one.

# D = embedding dimension
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from core.errors import ImageTooLargeError, SightlineError
from core.types import FloatArray, PixelArray
from encoders.preprocessing import preprocess_bytes
from service.engine import Engine, open_engine
from service.image_sources import embed_images
from service.metrics import Metrics
from tests.fakes import FakeEncoder, picture_bytes
from tests.service.running import settings_for

MANY = 10_000
SIDE = 16


class PixelEncoder(FakeEncoder):
    """Embeds a picture so that its number can be read from the vector."""

    def encode_images(self, pixels_NSS3: PixelArray) -> FloatArray:
        """Return unit vectors in the direction of the first pixel's colour."""
        self.image_calls += 1
        self.images_seen += len(pixels_NSS3)
        vectors_ND = np.ones((len(pixels_NSS3), self.dim), np.float32)
        vectors_ND[:, :3] += pixels_NSS3[:, 0, 0]
        unit_ND: FloatArray = vectors_ND / np.linalg.norm(vectors_ND, axis=1, keepdims=True)
        return unit_ND


def bitmap(number: int) -> bytes:
    """Return a BMP of one colour that encodes a number; all have the same size."""
    colour = bytes((number % 251, number // 251 % 251, 7))
    pixels = colour * (SIDE * SIDE)
    header = struct.pack("<2sIHHI", b"BM", 54 + len(pixels), 0, 0, 54)
    size = struct.pack("<IiiHHIIiiII", 40, SIDE, SIDE, 1, 24, 0, len(pixels), 0, 0, 0, 0)
    return header + size + pixels


@pytest.fixture
def encoder() -> PixelEncoder:
    """Return the encoder behind the engine."""
    return PixelEncoder()


@pytest.fixture
def engine(tmp_path: Path, encoder: PixelEncoder) -> Iterator[Engine]:
    """Return an engine that remembers up to 20 000 images."""
    settings = settings_for(tmp_path, image_cache_entries=2 * MANY)
    opened = open_engine(settings, metrics=Metrics(), encoder=encoder)
    yield opened
    opened.close()


def vectors_of(outcomes: Sequence[FloatArray | SightlineError]) -> FloatArray:
    """Return outcomes without errors as rows."""
    rows = []
    for outcome in outcomes:
        assert not isinstance(outcome, SightlineError), outcome
        rows.append(outcome)
    return np.stack(rows)


@pytest.mark.slow
def test_ten_thousand_images_of_equal_size_have_no_wrong_vector(
    engine: Engine, encoder: PixelEncoder
) -> None:
    """Asked twice by four threads at once, in other orders, each gets the vector of its pixels."""
    images = [bitmap(number) for number in range(MANY)]
    assert len(set(images)) == MANY
    assert len({len(data) for data in images}) == 1
    decoded = [preprocess_bytes(data, encoder.preprocessing) for data in images[:50]]
    expected_ND = PixelEncoder().encode_images(
        np.stack([bitmap_pixels(number) for number in range(MANY)])
    )
    np.testing.assert_array_equal(expected_ND[:50], PixelEncoder().encode_images(np.stack(decoded)))

    def ask(seed: int) -> None:
        order = np.random.default_rng(seed // 2).permutation(MANY).tolist()
        for start in range(0, MANY, 50):
            some = order[start : start + 50]
            found_ND = vectors_of(embed_images(engine, [images[number] for number in some]))
            np.testing.assert_array_equal(found_ND, expected_ND[some])

    with ThreadPoolExecutor(4) as clients:
        list(clients.map(ask, range(4)))

    assert encoder.images_seen == MANY
    assert len(engine.image_cache) == MANY


def bitmap_pixels(number: int) -> PixelArray:
    """Return what the bitmap of a number decodes to: BMP stores blue first."""
    colour = (7, number // 251 % 251, number % 251)
    return np.broadcast_to(np.array(colour, np.uint8), (SIDE, SIDE, 3))


def test_the_same_image_is_decoded_and_embedded_once(engine: Engine, encoder: PixelEncoder) -> None:
    """By content, whatever it is called; the second answer is the first."""
    first_ND = vectors_of(embed_images(engine, [bitmap(1), bitmap(2), bitmap(1)]))
    second_ND = vectors_of(embed_images(engine, [bitmap(2), bitmap(1)]))

    np.testing.assert_array_equal(second_ND, first_ND[[1, 2]])
    assert encoder.images_seen == 2
    assert (engine.image_cache.hits, engine.image_cache.misses) == (2, 2)


def test_a_bad_image_is_an_error_each_time_and_takes_no_place(
    engine: Engine, encoder: PixelEncoder
) -> None:
    """Its good neighbours are remembered, and the bad one never reaches the model."""
    for _ in range(2):
        good, bad, same = embed_images(engine, [bitmap(3), b"no picture", b"no picture"])
        assert not isinstance(good, SightlineError)
        assert isinstance(bad, SightlineError)
        assert isinstance(same, SightlineError)

    assert encoder.images_seen == 1
    assert len(engine.image_cache) == 1


def test_an_image_over_the_limits_is_refused_however_often_it_comes(tmp_path: Path) -> None:
    """What the limits refuse is never remembered, so the second answer is the same refusal."""
    settings = settings_for(tmp_path, max_image_pixels=SIDE * SIDE - 1)
    engine = open_engine(settings, metrics=Metrics(), encoder=PixelEncoder())
    try:
        for _ in range(2):
            (refused,) = embed_images(engine, [bitmap(1)])
            assert isinstance(refused, ImageTooLargeError)
        assert len(engine.image_cache) == 0
    finally:
        engine.close()


def test_caches_are_counted_in_the_metrics(engine: Engine) -> None:
    """Entries, hits, misses and evictions of texts and images are on the metrics page."""
    embed_images(engine, [picture_bytes("red"), picture_bytes("red")])
    embed_images(engine, [picture_bytes("red")])
    engine.encoder.encode_texts(["a", "b"])

    page = engine.metrics.render().decode()

    assert 'sightline_cache_entries{cache="image"} 1.0' in page
    assert 'sightline_cache_hits_total{cache="image"} 1.0' in page
    assert 'sightline_cache_misses_total{cache="image"} 1.0' in page
    assert 'sightline_cache_evictions_total{cache="image"} 0.0' in page
    assert 'sightline_cache_entries{cache="text"} 2.0' in page
