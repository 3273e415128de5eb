"""Many images, bytes in and embeddings out; a bad one becomes an error and harms no neighbour.

# D = embedding dimension
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.errors import ImageError
from core.types import FloatArray, PixelArray
from encoders.decoding import DEFAULT_LIMITS, DecodeLimits
from encoders.encoder import Encoder
from encoders.preprocessing import preprocess_bytes


def encode_image_bytes(
    encoder: Encoder, images: Sequence[bytes], *, limits: DecodeLimits = DEFAULT_LIMITS
) -> list[FloatArray | ImageError]:
    """Return, for each image in order, its embedding (D,) or the reason why it has none.

    Raises:
        EncoderError: the model itself fails.
    """
    results: list[FloatArray | ImageError] = []
    good: list[int] = []
    pixels: list[PixelArray] = []
    for row, data in enumerate(images):
        try:
            pixels.append(preprocess_bytes(data, encoder.preprocessing, limits))
        except ImageError as error:
            results.append(error)
        else:
            results.append(np.empty(0, np.float32))
            good.append(row)
    if good:
        embeddings_ND = encoder.encode_images(np.stack(pixels))
        for row, embedding_D in zip(good, embeddings_ND, strict=True):
            results[row] = embedding_D
    return results
