"""Decoded pictures of a data set: kept in memory, kept on disk, or decoded each time.

What is kept is the picture brought to a square a little larger than the model's, so that a cached
and an uncached run see the same pixels and augmentation always starts from the same ones.

# N = pictures, S = side of the stored square
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.artifacts import (
    canonical_json,
    new_artifact,
    read_json,
    read_manifest,
    sha256_bytes,
    verify_files,
    write_json,
)
from core.errors import ImageError, NotFoundError
from core.pairs.image_file import ImageFile
from core.pairs.pair import Pair
from core.prefetch import prefetched
from core.progress import ProgressFactory
from core.types import IdArray, JSONObject, PixelArray
from encoders.decoding import read_image_file
from encoders.preprocessing import Preprocessing, preprocess_bytes

logger = logging.getLogger(__name__)

KIND = "pictures"
FORMAT_VERSION = 2
_PIXELS_NAME = "pixels.npy"
_IDENTITIES_NAME = "identities.npy"
_SKIPPED_NAME = "skipped.json"
_CHANNELS = 3


@dataclass(frozen=True, slots=True)
class Pictures:
    """Pictures by number, each uint8 (S, S, 3)."""

    images: tuple[ImageFile, ...]
    """Where they lie."""
    preprocessing: Preprocessing
    """How each becomes a square."""
    cache: PixelArray | None
    """All pictures, (N, S, S, 3); ``None`` decodes each time."""
    identities_N: IdArray
    """A 63-bit number that equal pictures share; 0 for one that has not been decoded yet."""
    skipped: dict[int, str]
    """Numbers of pictures found unreadable when the cache was filled, with the reason."""

    def read(self, number: int) -> PixelArray:
        """Return one picture.

        Raises:
            ImageError: it cannot be decoded.
            NotFoundError: the file is missing.
        """
        if self.cache is not None:
            picture: PixelArray = self.cache[number]
            return picture
        picture = decode_file(self.images[number], self.preprocessing)
        if not self.identities_N[number]:
            # Every thread would write the same number, so it does not matter who comes first.
            self.identities_N[number] = identity_of_pixels(picture)
        return picture


def identity_of_pixels(pixels: PixelArray) -> int:
    """Return a 63-bit number, never 0, that equal pictures share."""
    return int(sha256_bytes(pixels.tobytes())[:15], 16) or 1


def decode_file(image: ImageFile, preprocessing: Preprocessing) -> PixelArray:
    """Return the picture ``image`` as a uint8 square, by the same code as serving.

    Raises:
        ImageError: it cannot be decoded.
        NotFoundError: the file is missing.
    """
    return preprocess_bytes(read_image_file(image), preprocessing)


def stored_bytes(count: int, preprocessing: Preprocessing) -> int:
    """Return the size of a cache of ``count`` pictures, in bytes."""
    return count * preprocessing.image_size**2 * _CHANNELS


def uncached_pictures(pairs: Sequence[Pair], preprocessing: Preprocessing) -> Pictures:
    """Return pictures that are decoded each time they are read."""
    identities_N = np.zeros(len(pairs), np.int64)
    return Pictures(_images(pairs), preprocessing, None, identities_N, {})


def pictures_in_memory(
    pairs: Sequence[Pair], preprocessing: Preprocessing, *, workers: int, progress: ProgressFactory
) -> Pictures:
    """Decode all pictures into one array; unreadable ones are named in ``skipped``."""
    pixels_NSS3 = np.zeros(_shape(len(pairs), preprocessing), np.uint8)
    identities_N = np.zeros(len(pairs), np.int64)
    skipped = _fill(
        pixels_NSS3, identities_N, pairs, preprocessing, workers=workers, progress=progress
    )
    return Pictures(_images(pairs), preprocessing, pixels_NSS3, identities_N, skipped)


def pictures_on_disk(
    pairs: Sequence[Pair],
    preprocessing: Preprocessing,
    *,
    folder: Path,
    fingerprint: str,
    workers: int,
    progress: ProgressFactory,
) -> Pictures:
    """Decode all pictures into an artifact below ``folder``, or map the one that is there.

    The artifact's name is a digest of the data set and the preprocessing, so other data or another
    size never meets it.

    Raises:
        IntegrityError: the artifact is damaged.
    """
    settings: JSONObject = {"data": fingerprint, "preprocessing": repr(preprocessing)}
    target = folder / sha256_bytes(canonical_json(settings))[:16]
    if not target.exists():
        with new_artifact(target, kind=KIND, format_version=FORMAT_VERSION) as temporary:
            pixels_NSS3 = np.lib.format.open_memmap(
                temporary / _PIXELS_NAME,
                mode="w+",
                dtype=np.uint8,
                shape=_shape(len(pairs), preprocessing),
            )
            identities_N = np.zeros(len(pairs), np.int64)
            skipped = _fill(
                pixels_NSS3, identities_N, pairs, preprocessing, workers=workers, progress=progress
            )
            pixels_NSS3.flush()
            np.save(temporary / _IDENTITIES_NAME, identities_N)
            write_json(temporary / _SKIPPED_NAME, {str(key): why for key, why in skipped.items()})
    verify_files(target, read_manifest(target, kind=KIND, format_version=FORMAT_VERSION))
    mapped_NSS3 = np.load(target / _PIXELS_NAME, mmap_mode="r", allow_pickle=False)
    skipped = {int(key): str(why) for key, why in read_json(target / _SKIPPED_NAME).items()}
    identities_N = np.load(target / _IDENTITIES_NAME, allow_pickle=False)
    return Pictures(_images(pairs), preprocessing, mapped_NSS3, identities_N, skipped)


def _images(pairs: Sequence[Pair]) -> tuple[ImageFile, ...]:
    return tuple(pair.image for pair in pairs)


def _shape(count: int, preprocessing: Preprocessing) -> tuple[int, int, int, int]:
    return count, preprocessing.image_size, preprocessing.image_size, _CHANNELS


def _fill(
    pixels_NSS3: PixelArray,
    identities_N: IdArray,
    pairs: Sequence[Pair],
    preprocessing: Preprocessing,
    *,
    workers: int,
    progress: ProgressFactory,
) -> dict[int, str]:
    skipped: dict[int, str] = {}
    with progress("decoding", total=len(pairs), unit="pictures") as bar:
        for number, result in enumerate(_decoded(pairs, preprocessing, workers)):
            if isinstance(result, str):
                skipped[number] = result
            else:
                pixels_NSS3[number], identities_N[number] = result
            bar.advance()
    return skipped


def _decoded(
    pairs: Sequence[Pair], preprocessing: Preprocessing, workers: int
) -> Iterator[tuple[PixelArray, int] | str]:
    """Yield each picture with its identity, or why it cannot be read."""

    def decode(pair: Pair) -> tuple[PixelArray, int] | str:
        try:
            picture = decode_file(pair.image, preprocessing)
            return picture, identity_of_pixels(picture)
        except (ImageError, NotFoundError) as error:
            return str(error)

    return prefetched(decode, pairs, workers=workers)
