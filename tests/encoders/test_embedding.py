"""Rules of encoders.embedding: a bad image harms no neighbour."""

from __future__ import annotations

import numpy as np

from core.errors import ImageTooLargeError, UndecodableImageError
from encoders.decoding import DecodeLimits
from encoders.embedding import encode_image_bytes
from tests.fakes import FakeEncoder, picture_bytes


def test_each_image_has_an_embedding_or_its_error() -> None:
    """Order is kept, and the good ones are embedded in one call."""
    encoder = FakeEncoder()
    images = [picture_bytes("red"), b"", picture_bytes("blue"), picture_bytes("red")[:60]]

    red_D, empty, blue_D, cut = encode_image_bytes(encoder, images)

    assert isinstance(empty, UndecodableImageError)
    assert isinstance(cut, UndecodableImageError)
    np.testing.assert_allclose(red_D @ encoder.encode_texts(["red"])[0], 1.0, atol=0.01)
    np.testing.assert_allclose(blue_D @ encoder.encode_texts(["blue"])[0], 1.0, atol=0.01)
    assert encoder.image_calls == 1


def test_no_good_image_needs_no_model() -> None:
    """The model is not called for nothing."""
    encoder = FakeEncoder()

    (error,) = encode_image_bytes(encoder, [picture_bytes()], limits=DecodeLimits(max_bytes=10))

    assert isinstance(error, ImageTooLargeError)
    assert encode_image_bytes(encoder, []) == []
    assert encoder.image_calls == 0
