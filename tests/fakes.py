"""Stand-ins that make tests fast: an encoder without weights, and small pictures.

# N = items, S = image size, D = embedding dimension
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

from core.types import FloatArray, PixelArray
from encoders.confidence import Calibration
from encoders.preprocessing import Preprocessing

COLOURS = {
    "red": (220, 20, 20),
    "green": (20, 200, 20),
    "blue": (20, 20, 220),
    "yellow": (220, 220, 20),
    "white": (250, 250, 250),
    "black": (5, 5, 5),
}
_DIM = 8


class FakeEncoder:
    """Embeds a picture by its mean colour and a text by the colour words in it.

    "a red car" and a red picture point in nearly the same direction, so search and labels can be
    checked by hand; texts without a colour word get a direction of their own.
    """

    name = "fake"
    dim = _DIM
    preprocessing = Preprocessing(image_size=16, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    logit_scale = 100.0
    logit_bias = 0.0
    context_length = 77
    calibration: Calibration | None = None

    def __init__(self, encoder_id: str = "fa4e000000000001") -> None:
        """Pretend to be the encoder of the given id."""
        self.encoder_id = encoder_id
        self.image_calls = 0
        self.images_seen = 0
        self.text_calls = 0

    def encode_images(self, pixels_NSS3: PixelArray) -> FloatArray:
        """Return unit vectors whose first three coordinates are the centred mean colour."""
        self.image_calls += 1
        self.images_seen += len(pixels_NSS3)
        colours_N3 = pixels_NSS3.reshape(len(pixels_NSS3), -1, 3).mean(axis=1)
        return np.stack([_colour_vector(colour) for colour in colours_N3])

    def encode_texts(self, texts: Sequence[str]) -> FloatArray:
        """Return the colour vector of the first colour word, ``red.`` too, else one by digest."""
        self.text_calls += 1
        return np.stack([_text_vector(self.clean_text(text)) for text in texts])

    def clean_text(self, text: str) -> str:
        """Join runs of white space, as most tokenizers do."""
        return " ".join(text.split())

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count words and two special tokens."""
        return [len(text.split()) + 2 for text in texts]

    def close(self) -> None:
        """Do nothing."""


def picture_bytes(
    colour: str | tuple[int, int, int] = "red",
    *,
    size: tuple[int, int] = (32, 24),
    format: str = "PNG",
) -> bytes:
    """Return the bytes of a one-colour picture."""
    rgb = COLOURS[colour] if isinstance(colour, str) else colour
    buffer = io.BytesIO()
    Image.new("RGB", size, rgb).save(buffer, format)
    return buffer.getvalue()


def _colour_vector(colour_3: Sequence[float] | FloatArray) -> FloatArray:
    vector_D = np.zeros(_DIM, np.float32)
    vector_D[:3] = np.asarray(colour_3, np.float32) / 127.5 - 1.0
    vector_D[3] = 0.05
    return vector_D / np.linalg.norm(vector_D)


def _text_vector(text: str) -> FloatArray:
    for word in text.lower().split():
        colour = COLOURS.get(word.rstrip(".,;:!?"))
        if colour is not None:
            return _colour_vector(colour)
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
    vector_D = np.zeros(_DIM, np.float32)
    vector_D[4:] = np.random.default_rng(seed).standard_normal(_DIM - 4).astype(np.float32)
    return vector_D / np.linalg.norm(vector_D)
