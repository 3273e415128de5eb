"""Whether embeddings made elsewhere are those of a model: some are made again and compared.

# N = compared rows, D = embedding dimension
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from core.errors import EncoderMismatchError, ImageError, NotFoundError
from core.types import FloatArray
from encoders.decoding import DecodeLimits, read_image_file
from encoders.embedding import encode_image_bytes
from encoders.encoder import Encoder
from index.clip_retrieval import Part, Row

ThingT = TypeVar("ThingT")

_COMPARED = 16
_LOOKED_AT = 256
_LEAST_COSINE = 0.95
"""Half precision and another resizer leave more; another model leaves far less."""


@dataclass(frozen=True, slots=True)
class SpotCheck:
    """How the compared rows came out."""

    images: int
    """How many pictures were embedded again."""
    texts: int
    """How many captions were."""
    median_cosine: float | None
    """With the stored embeddings, of whichever was worse; ``None`` where nothing was comparable."""


@dataclass(frozen=True, slots=True)
class _Sample:
    row: Row
    image_D: FloatArray
    text_D: FloatArray | None


def check_model(
    encoder: Encoder, parts: Sequence[Part], root: Path, *, limits: DecodeLimits
) -> SpotCheck:
    """Embed a few pictures that are here, and a few captions, again.

    Raises:
        EncoderMismatchError: the median cosine with the stored embeddings is below 0.95.
    """
    samples = list(_samples(parts))
    images = _image_cosines(encoder, samples, root, limits)
    texts = _text_cosines(encoder, samples)
    medians = [float(np.median(cosines)) for cosines in (images, texts) if cosines]
    worst = min(medians, default=None)
    if worst is not None and worst < _LEAST_COSINE:
        raise EncoderMismatchError(
            f"the embeddings are not of this model: {len(images)} pictures and {len(texts)} "
            f"captions were embedded again, and the median cosine is {worst:.3f}, where at least "
            f"{_LEAST_COSINE} is expected; name the model that made them with --model"
        )
    return SpotCheck(len(images), len(texts), worst)


def file_of(row: Row, root: Path) -> Path | None:
    """Return the picture of a row if it is on this machine."""
    if not row.path or "\0" in row.path:
        return None
    path = (root / row.path).absolute()
    try:
        return path if path.is_file() else None
    except OSError:
        return None


def _samples(parts: Sequence[Part]) -> Iterator[_Sample]:
    """Yield the first rows of every part."""
    each = -(-_LOOKED_AT // len(parts))
    for part in parts:
        block = next(part.blocks(each), None)
        if block is None:
            continue
        for place, row in enumerate(block.rows):
            text_D = None if block.texts_ND is None else block.texts_ND[place]
            yield _Sample(row, block.images_ND[place], text_D)


def _image_cosines(
    encoder: Encoder, samples: Sequence[_Sample], root: Path, limits: DecodeLimits
) -> list[float]:
    here = [(sample, path) for sample in samples if (path := file_of(sample.row, root)) is not None]
    cosines: list[float] = []
    for sample, path in _spread(here):
        try:
            (vector_D,) = encode_image_bytes(
                encoder, [read_image_file(path, limits)], limits=limits
            )
        except (ImageError, NotFoundError):
            continue
        if not isinstance(vector_D, ImageError):
            cosines.append(_cosine(vector_D, sample.image_D))
    return cosines


def _text_cosines(encoder: Encoder, samples: Sequence[_Sample]) -> list[float]:
    captioned = _spread(
        [
            (sample.row.caption, sample.text_D)
            for sample in samples
            if sample.row.caption and sample.text_D is not None
        ]
    )
    if not captioned:
        return []
    vectors_ND = encoder.encode_texts([caption for caption, _ in captioned])
    return [
        _cosine(vector_D, text_D)
        for vector_D, (_, text_D) in zip(vectors_ND, captioned, strict=True)
    ]


def _spread(found: Sequence[ThingT]) -> Sequence[ThingT]:
    """Return as many as are compared, evenly spread."""
    return found[:: max(1, -(-len(found) // _COMPARED))]


def _cosine(left_D: FloatArray, right_D: FloatArray) -> float:
    left, right = left_D.astype(np.float64), right_D.astype(np.float64)
    length = float(np.linalg.norm(left) * np.linalg.norm(right))
    return float(left @ right) / length if length > 0 else 0.0
