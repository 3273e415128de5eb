"""What is said of the data in every report: how many of everything, and what could not be used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core.artifacts import sha256_bytes
from core.errors import ImageError, NotFoundError
from core.pairs.image_file import ImageFile
from core.pairs.pair import Pair
from core.progress import ProgressFactory, silent
from core.types import JSONObject
from encoders.decoding import DEFAULT_LIMITS, read_image_file
from evaluation.images import FailedImage


def data_facts(
    pairs: Sequence[Pair],
    *,
    failed: Sequence[FailedImage] = (),
    skipped: Mapping[str, str] | None = None,
) -> JSONObject:
    """Return the object ``data`` of a report: nothing is left out of an evaluation silently."""
    return {
        "pairs": len(pairs),
        "captions": sum(len(pair.captions) for pair in pairs),
        "pairs_without_caption": sum(not pair.captions for pair in pairs),
        "pairs_without_label": sum(pair.label is None for pair in pairs),
        "failed_images": [
            {"image": str(item.image), "code": item.code, "message": item.message}
            for item in failed
        ],
        "skipped": [{"place": place, "reason": why} for place, why in (skipped or {}).items()],
    }


def image_digests(
    images: Sequence[ImageFile], *, progress: ProgressFactory = silent
) -> tuple[str | None, ...]:
    """Return the sha256 of each image's bytes; ``None`` where they cannot be read."""
    digests: list[str | None] = []
    with progress("read images", total=len(images), unit="images") as shown:
        for image in images:
            try:
                digests.append(sha256_bytes(read_image_file(image, DEFAULT_LIMITS)))
            except (ImageError, NotFoundError):
                digests.append(None)
            shown.advance()
    return tuple(digests)
