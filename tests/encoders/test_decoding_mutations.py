"""Thousands of damaged files: each is decoded or refused with an image error, nothing else."""

from __future__ import annotations

import resource

import pytest

from core.errors import ImageError
from encoders.decoding import KNOWN_FORMATS, DecodeLimits, decode_image
from tests.encoders.mutations import FORMATS, mutations, seed_pictures

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's remarks on damage
LIMITS = DecodeLimits(formats=KNOWN_FORMATS, max_pixels=200_000, max_side=4000)


@pytest.mark.slow
@pytest.mark.parametrize("format", FORMATS)
def test_damaged_files_give_a_picture_or_an_image_error(format: str) -> None:
    """Bit flips, extreme sizes, cuts, repeated and mixed pieces: no other exception, no crash."""
    refused = 0
    for data in mutations(format, 600):
        try:
            image = decode_image(data, LIMITS, min_side=16)
        except ImageError:
            refused += 1
        else:
            assert image.mode == "RGB"
            assert image.width * image.height <= LIMITS.max_pixels

    assert refused > 100


@pytest.mark.parametrize("format", FORMATS)
def test_every_prefix_gives_a_picture_or_an_image_error(format: str) -> None:
    """A transfer may end anywhere, also right behind the head of the file."""
    for data in seed_pictures(format):
        for length in range(0, len(data), 13):
            try:
                decode_image(data[:length], LIMITS)
            except ImageError:
                continue


@pytest.mark.slow
def test_damaged_files_leave_no_memory_behind() -> None:
    """A second round over the same files needs hardly more memory than the first."""

    def round_of_all() -> int:
        for name in FORMATS:
            for data in mutations(name, 60, seed=1):
                try:
                    decode_image(data, LIMITS)
                except ImageError:
                    continue
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    first = round_of_all()
    for _ in range(3):
        last = round_of_all()

    assert last - first < 64 * 1024  # KiB
