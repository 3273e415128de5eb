"""Whether two sets of pairs share images: what is fitted on a test flatters it."""

from __future__ import annotations

from core.errors import UsageError
from evaluation.embeddings import Embeddings


def shared_images(left: Embeddings, right: Embeddings) -> int:
    """Return how many images of ``right`` are, byte for byte, in ``left``."""
    known = {digest for digest in left.images.digests_N if digest is not None}
    return sum(digest in known for digest in right.images.digests_N)


def refuse_shared_images(test: Embeddings, other: Embeddings, *, what: str) -> None:
    """Refuse to choose anything on images that are scored.

    Raises:
        UsageError: with their number.
    """
    shared = shared_images(test, other)
    if shared:
        raise UsageError(
            f"{what}: {shared} of its images are among the ones that are scored; what is chosen on "
            "a test flatters it. Give pairs of their own",
            param=what.lstrip("-"),
        )
