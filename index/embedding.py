"""From pictures and terms to unit vectors through an encoder.

# N = pictures, T = terms, D = embedding dimension, S = image size of the model
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from core.errors import EncoderError, SightlineError, StorageError
from core.types import FloatArray, PixelArray
from encoders.decoding import DecodeLimits
from encoders.encoder import Encoder
from encoders.preprocessing import preprocess_bytes
from index.query import Term
from index.vectors import checked_vector, unit_vector

_IMAGES_OF_A_BATCH = 64


def embed_images(
    encoder: Encoder, pixels: Sequence[PixelArray]
) -> list[FloatArray | SightlineError]:
    """Return the unit vector of each picture, or why there is none.

    A batch that the model refuses is sent again one by one, so that only the culprit fails.
    """
    found: list[FloatArray | SightlineError] = []
    for start in range(0, len(pixels), _IMAGES_OF_A_BATCH):
        batch = pixels[start : start + _IMAGES_OF_A_BATCH]
        try:
            found += _checked(encoder, batch)
        except (EncoderError, StorageError) as error:
            found += [error] if len(batch) == 1 else _one_by_one(encoder, batch)
    return found


def embed_texts(encoder: Encoder, texts: Sequence[str]) -> list[FloatArray | SightlineError]:
    """Return the unit vector of each text, or why there is none; one fails alone."""
    if not texts:
        return []
    try:
        return list(encoder.encode_texts(texts))
    except EncoderError as error:
        if len(texts) == 1:
            return [error]
    return [found for text in texts for found in embed_texts(encoder, [text])]


def embed_terms(
    encoder: Encoder,
    terms: Sequence[Term],
    *,
    vectors_of: Callable[[Sequence[str]], FloatArray],
    limits: DecodeLimits,
) -> FloatArray:
    """Return the unit vectors (T, D) of the terms; ``vectors_of`` gives those of items.

    Raises:
        QueryError: a vector that is no embedding of this model.
        NotFoundError: an item that does not exist.
        ImageError: a picture that cannot be decoded.
        EncoderError: the model failed.
    """
    units_TD = np.empty((len(terms), encoder.dim), np.float32)
    texts = {place: term.text for place, term in enumerate(terms) if term.text is not None}
    if texts:
        units_TD[list(texts)] = encoder.encode_texts(list(texts.values()))
    ids = {place: term.image_id for place, term in enumerate(terms) if term.image_id is not None}
    if ids:
        units_TD[list(ids)] = vectors_of(list(ids.values()))
    images = {place: term.image for place, term in enumerate(terms) if term.image is not None}
    if images:
        pixels = [preprocess_bytes(data, encoder.preprocessing, limits) for data in images.values()]
        units_TD[list(images)] = encoder.encode_images(np.stack(pixels))
    for place, term in enumerate(terms):
        if term.vector is not None:
            units_TD[place] = unit_vector(term.vector, dim=encoder.dim)
    return units_TD


def _one_by_one(
    encoder: Encoder, pixels: Sequence[PixelArray]
) -> list[FloatArray | SightlineError]:
    return [found for one in pixels for found in embed_images(encoder, [one])]


def _checked(encoder: Encoder, pixels: Sequence[PixelArray]) -> list[FloatArray]:
    vectors_ND = encoder.encode_images(np.stack(pixels))
    return [
        checked_vector(vector_D, dim=encoder.dim, id=f"image {place}")
        for place, vector_D in enumerate(vectors_ND)
    ]
