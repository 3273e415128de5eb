"""Image files to embeddings, one bad file at a time: it is named, and its neighbours go on.

# N = images asked for, G = images that could be decoded, D = embedding dimension, V = views,
# S = image size
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from core.artifacts import sha256_bytes
from core.errors import ImageError, NotFoundError
from core.pairs.image_file import ImageFile
from core.prefetch import batched, prefetched
from core.progress import ProgressFactory, silent
from core.types import FloatArray, PixelArray
from encoders.crops import check_crops, preprocess_view_bytes
from encoders.decoding import DEFAULT_LIMITS, DecodeLimits, read_image_file
from encoders.encoder import Encoder
from zeroshot.crops import mean_of_views

_IMAGES_PER_BATCH = 32
_DECODING_THREADS = 2


@dataclass(frozen=True, slots=True)
class FailedImage:
    """A file that gave no embedding, and why."""

    place: int
    """Which of the files."""
    image: ImageFile
    code: str
    """Code of the error, for machines."""
    message: str


@dataclass(frozen=True, slots=True)
class EmbeddedImages:
    """What became of N files."""

    places_G: tuple[int, ...]
    """Which of the files each embedding belongs to."""
    embeddings_GD: FloatArray
    digests_N: tuple[str | None, ...]
    """sha256 of each file's bytes; ``None`` where it could not be read."""
    failed: tuple[FailedImage, ...]


def embed_images(
    encoder: Encoder,
    images: Sequence[ImageFile],
    *,
    limits: DecodeLimits = DEFAULT_LIMITS,
    crops: int = 1,
    progress: ProgressFactory = silent,
) -> EmbeddedImages:
    """Embed the files that can be decoded and report the others; pixels of a batch are in memory.

    With ``crops`` above 1 an embedding is the mean of that many views of the picture.

    Raises:
        UsageError: another number of views than 1, 5 or 10.
        EncoderError: the model fails.
    """
    check_crops(crops)
    per_batch = max(1, _IMAGES_PER_BATCH // crops)
    places: list[int] = []
    parts: list[FloatArray] = []
    digests: list[str | None] = []
    failed: list[FailedImage] = []
    loaded = prefetched(
        lambda place: _load(place, images[place], encoder, limits, crops=crops),
        range(len(images)),
        workers=_DECODING_THREADS,
        ahead=2 * per_batch,
    )
    with (
        closing(loaded),
        progress("embed images", total=len(images), unit="images") as shown,
    ):
        for batch in batched(loaded, most=per_batch):
            digests += [digest for _, digest, _ in batch]
            failed += [found for _, _, found in batch if isinstance(found, FailedImage)]
            views = [(place, found) for place, _, found in batch if isinstance(found, np.ndarray)]
            if views:
                places += [place for place, _ in views]
                views_XD = encoder.encode_images(np.concatenate([found for _, found in views]))
                parts.append(mean_of_views(views_XD, crops=crops))
            shown.advance(len(batch))
    return EmbeddedImages(
        places_G=tuple(places),
        embeddings_GD=np.concatenate([np.empty((0, encoder.dim), np.float32), *parts]),
        digests_N=tuple(digests),
        failed=tuple(failed),
    )


def _load(
    place: int, image: ImageFile, encoder: Encoder, limits: DecodeLimits, *, crops: int
) -> tuple[int, str | None, PixelArray | FailedImage]:
    """Read one file; return its place, the digest of its bytes, and its views (V, S, S, 3)."""
    digest: str | None = None
    try:
        data = read_image_file(image, limits)
        digest = sha256_bytes(data)
        views_VSS3 = preprocess_view_bytes(data, encoder.preprocessing, limits, crops=crops)
    except (ImageError, NotFoundError) as error:
        failure = FailedImage(place=place, image=image, code=error.code, message=str(error))
        return place, digest, failure
    return place, digest, views_VSS3
