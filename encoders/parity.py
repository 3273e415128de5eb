"""Does an exported encoder reproduce its source? The cosine of both embeddings, sample by sample.

# N = samples, D = embedding dimension, H, W = height and width
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from core.errors import ParityError
from core.types import FloatArray, JSONObject
from encoders.encoder import Encoder
from encoders.preprocessing import preprocess

SAMPLE_TEXTS = (
    "",
    "cat",
    "a photo of a cat",
    "A red car, parked in front of a white house!",
    "two dogs playing with a blue ball on the beach at sunset",
    "caf\u00e9 \u65e5\u672c \U0001f600",
    "1234567890 km/h &amp; 50%",
    "a very long caption about nothing in particular " * 20,
)
"""Short, long, cut, empty and foreign texts."""

_SAMPLE_SIZES = ((224, 224), (640, 480), (333, 500), (91, 37), (1024, 300), (7, 5))


@dataclass(frozen=True, slots=True)
class SampleParity:
    """How close the two embeddings of one sample are."""

    kind: str
    """``image`` or ``text``."""
    sample: str
    """The text, or the size of the picture."""
    cosine: float


@dataclass(frozen=True, slots=True)
class ParityReport:
    """The parity of every sample with the bound that was asked for."""

    samples: tuple[SampleParity, ...]
    minimum_cosine: float
    """Bound below which an export is refused."""

    def lowest(self, kind: str) -> float:
        """Return the lowest cosine of the samples of a kind."""
        return min(sample.cosine for sample in self.samples if sample.kind == kind)

    def check(self) -> None:
        """Refuse an export that does not reproduce its source.

        Raises:
            ParityError: a sample is below the bound; the message names the worst.
        """
        worst = min(self.samples, key=lambda sample: sample.cosine)
        if not worst.cosine >= self.minimum_cosine:
            raise ParityError(
                f"the exported model gives the {worst.kind} {worst.sample!r} a cosine of "
                f"{worst.cosine:.6f} to its source, the limit is {self.minimum_cosine}; "
                "nothing was written. Run this architecture with the runtime torch"
            )

    def to_json(self) -> JSONObject:
        """Return the report as strict JSON."""
        return {
            "minimum_cosine": self.minimum_cosine,
            "lowest_image": self.lowest("image"),
            "lowest_text": self.lowest("text"),
            "samples": [
                {"kind": sample.kind, "sample": sample.sample, "cosine": sample.cosine}
                for sample in self.samples
            ],
        }


def sample_pictures() -> list[Image.Image]:
    """Return made-up pictures of several sizes: gradients with noise, the same every time."""
    return [_picture(width, height) for width, height in _SAMPLE_SIZES]


def compare(
    encoder: Encoder,
    *,
    pictures: Sequence[Image.Image],
    texts: Sequence[str],
    images_ND: FloatArray,
    texts_ND: FloatArray,
    minimum_cosine: float,
) -> ParityReport:
    """Encode the samples and report the cosines with the reference embeddings of unit length."""
    pixels_NSS3 = np.stack([preprocess(picture, encoder.preprocessing) for picture in pictures])
    # One at a time and together: a batch must not change its items.
    single_ND = np.concatenate([encoder.encode_texts([text]) for text in texts])
    together_ND = encoder.encode_texts(texts)
    image_cosines_N = (encoder.encode_images(pixels_NSS3) * images_ND).sum(axis=1)
    text_cosines_N = np.minimum((single_ND * texts_ND).sum(1), (together_ND * texts_ND).sum(1))
    samples = [
        SampleParity("image", f"{picture.width} x {picture.height}", float(cosine))
        for picture, cosine in zip(pictures, image_cosines_N, strict=True)
    ]
    samples += [
        SampleParity("text", text[:40], float(cosine))
        for text, cosine in zip(texts, text_cosines_N, strict=True)
    ]
    return ParityReport(tuple(samples), minimum_cosine)


def _picture(width: int, height: int) -> Image.Image:
    rows_H1, columns_1W = np.mgrid[0:height, 0:width].astype(np.float64)
    waves = [
        np.sin(columns_1W * 7 / width + shift) * np.cos(rows_H1 * 5 / height - shift)
        for shift in (0.0, 1.0, 2.0)
    ]
    noise = np.random.default_rng(width * height).normal(0.0, 20.0, (height, width, 3))
    levels_HW3 = 128.0 + 90.0 * np.stack(waves, axis=-1) + noise
    return Image.fromarray(np.clip(levels_HW3, 0, 255).astype(np.uint8))
