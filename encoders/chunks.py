"""What both runtimes do around a tower: cut batches to size, order texts by length, normalise.

# N = items, B = items of one chunk, D = embedding dimension, S = image size
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from core.errors import EncoderError
from core.types import FloatArray, PixelArray
from encoders.tokenizer import TextTokenizer, TokenBatch

IMAGES_PER_CHUNK = 32
TEXTS_PER_CHUNK = 64
"""Larger batches gain nothing on a CPU and hold more memory (docs/models.md)."""

_CHANNELS = 3


def embed_pixels(
    pixels_NSS3: PixelArray, run: Callable[[PixelArray], FloatArray], *, image_size: int, dim: int
) -> FloatArray:
    """Return unit embeddings (N, D) of pixels, given a tower that takes chunks of them.

    Raises:
        EncoderError: the shape or type does not fit the model, or the output is not finite.
    """
    expected = (image_size, image_size, _CHANNELS)
    if pixels_NSS3.ndim != len(expected) + 1 or pixels_NSS3.shape[1:] != expected:
        raise EncoderError(
            f"pixels have the shape {pixels_NSS3.shape}, the model takes (N, {image_size}, "
            f"{image_size}, 3); preprocess the pictures with the encoder's own preprocessing"
        )
    if pixels_NSS3.dtype != np.uint8:
        raise EncoderError(f"pixels are {pixels_NSS3.dtype}, expected uint8 from 0 to 255")
    embeddings_ND = np.empty((len(pixels_NSS3), dim), np.float32)
    for start in range(0, len(pixels_NSS3), IMAGES_PER_CHUNK):
        chunk = slice(start, start + IMAGES_PER_CHUNK)
        embeddings_ND[chunk] = run(np.ascontiguousarray(pixels_NSS3[chunk]))
    return unit_rows(embeddings_ND)


def embed_texts(
    texts: Sequence[str],
    run: Callable[[TokenBatch], FloatArray],
    *,
    tokenizer: TextTokenizer,
    dim: int,
) -> FloatArray:
    """Return unit embeddings (N, D) of texts; texts of like length share a chunk.

    Raises:
        EncoderError: the output is not finite.
    """
    token_ids = tokenizer.token_ids(texts)
    by_length = sorted(range(len(token_ids)), key=lambda row: len(token_ids[row]))
    embeddings_ND = np.empty((len(texts), dim), np.float32)
    for start in range(0, len(by_length), TEXTS_PER_CHUNK):
        rows = by_length[start : start + TEXTS_PER_CHUNK]
        embeddings_ND[rows] = run(tokenizer.pad([token_ids[row] for row in rows]))
    return unit_rows(embeddings_ND)


def unit_rows(vectors_ND: FloatArray) -> FloatArray:
    """Return the rows scaled to length 1, in float32.

    Raises:
        EncoderError: a row is not finite, or is zero and has no direction.
    """
    norms_N1 = np.linalg.norm(vectors_ND, axis=1, keepdims=True)
    bad = np.flatnonzero(~np.isfinite(norms_N1[:, 0]) | (norms_N1[:, 0] == 0.0))
    if bad.size:
        raise EncoderError(
            f"the model gave an embedding that is zero or not finite for item {int(bad[0])}; "
            "use float32, or verify the model: sightline models verify"
        )
    return (vectors_ND / norms_N1).astype(np.float32, copy=False)
