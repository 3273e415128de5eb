"""Rules of training.doctor.near."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageEnhance, ImageOps

from core.errors import UsageError
from tests.training.doctor.drawings import encoded, prints_of, scene
from training.doctor.fingerprint import Fingerprints
from training.doctor.near import near_groups, near_matches, near_pairs


def jpeg(image: Image.Image) -> Image.Image:
    """Encode and decode again."""
    return Image.open(io.BytesIO(encoded(image, "JPEG", quality=75))).convert("RGB")


SAME = {
    "jpeg": jpeg,
    "resized": lambda image: image.resize((48, 40)),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.1),
    "less contrast": lambda image: ImageEnhance.Contrast(image).enhance(0.9),
}
OTHER = {
    "mirrored": ImageOps.mirror,
    "upside down": ImageOps.flip,
    "without colours": lambda image: image.convert("L").convert("RGB"),
    "negative": ImageOps.invert,
}


@pytest.mark.parametrize("change", SAME.values(), ids=SAME.keys())
def test_a_changed_copy_looks_alike(change: Callable[[Image.Image], Image.Image]) -> None:
    """Each copy is in the group of its original, and only there."""
    originals = [scene(seed) for seed in range(10)]

    groups = near_groups(prints_of([*originals, *map(change, originals)]))

    assert groups.tolist() == [*range(10), *range(10)]


@pytest.mark.parametrize("change", OTHER.values(), ids=OTHER.keys())
def test_another_picture_does_not(change: Callable[[Image.Image], Image.Image]) -> None:
    """What a caption could tell apart is not the same picture."""
    originals = [scene(seed) for seed in range(10)]

    groups = near_groups(prints_of([*originals, *map(change, originals)]))

    assert groups.tolist() == list(range(20))


def test_blank_pictures_of_different_colours_stay_apart() -> None:
    """They have one hash, and only the cells tell them apart."""
    blanks = [Image.new("RGB", (40, 40), colour) for colour in ("white", "grey", "red", "blue")]

    assert near_groups(prints_of([*blanks, blanks[0]])).tolist() == [0, 1, 2, 3, 0]


def hashes_only(values: list[int]) -> Fingerprints:
    """Return fingerprints with the same cells."""
    return Fingerprints(np.array(values, np.uint64), np.zeros((len(values), 48), np.uint8))


@st.composite
def crowded_hashes(draw: st.DrawFn) -> list[int]:
    """Return hashes around two centres, so that all distances from 0 to 12 occur."""
    flips = st.lists(st.integers(0, 63), max_size=6, unique=True)
    centres = [draw(st.integers(0, 2**64 - 1)) for _ in range(2)]
    chosen = draw(st.lists(st.tuples(st.sampled_from(centres), flips), min_size=1, max_size=25))
    return [centre ^ sum(1 << bit for bit in bits) for centre, bits in chosen]


@given(values=crowded_hashes(), near=st.integers(0, 10))
def test_bands_find_exactly_what_comparing_all_with_all_finds(values: list[int], near: int) -> None:
    """Multi-index hashing misses nothing up to the asked distance and adds nothing."""
    expected = {
        (one, other)
        for other in range(len(values))
        for one in range(other)
        if (values[one] ^ values[other]).bit_count() <= near
    }

    found = {
        (min(pair), max(pair))
        for left, right in near_pairs(hashes_only(values), near=near)
        for pair in zip(left.tolist(), right.tolist(), strict=True)
    }

    assert found == expected


@given(values=crowded_hashes(), near=st.integers(0, 10))
def test_groups_are_chains_of_near_hashes(values: list[int], near: int) -> None:
    """The group of a row is the first row that it is connected with."""
    label = list(range(len(values)))
    for _ in values:
        for one, left in enumerate(values):
            for other, right in enumerate(values):
                if (left ^ right).bit_count() <= near:
                    label[one] = label[other] = min(label[one], label[other])

    assert near_groups(hashes_only(values), near=near).tolist() == label


@given(values=crowded_hashes(), others=crowded_hashes(), near=st.integers(0, 10))
def test_matches_are_direct(values: list[int], others: list[int], near: int) -> None:
    """The match is the first other row within the distance itself, without chains."""
    expected = [
        next((row for row, two in enumerate(others) if (one ^ two).bit_count() <= near), -1)
        for one in values
    ]

    found = near_matches(hashes_only(values), hashes_only(others), near=near)

    assert found.tolist() == expected


def test_a_distance_that_finds_anything_is_refused() -> None:
    """Eleven of 64 bits join pictures that only share a layout."""
    with pytest.raises(UsageError, match="expected 0 to 10"):
        near_groups(prints_of([scene(1), scene(2)]), near=11)


def test_no_pictures_make_no_groups() -> None:
    """An empty set is no error."""
    assert near_groups(hashes_only([])).tolist() == []
