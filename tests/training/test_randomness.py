"""Rules of random numbers by position."""

from __future__ import annotations

import numpy as np

from training.randomness import derived_seed, draws, stream


def test_a_position_decides_the_numbers() -> None:
    """Equal keys draw equally; purpose, seed, epoch and index each change the draw."""
    draws = [
        float(stream(purpose, *key).random())
        for purpose, key in [
            ("crop", (0, 1, 2)),
            ("flip", (0, 1, 2)),
            ("crop", (1, 1, 2)),
            ("crop", (0, 2, 2)),
            ("crop", (0, 1, 3)),
        ]
    ]

    assert float(stream("crop", 0, 1, 2).random()) == draws[0]
    assert len(set(draws)) == 5


def test_the_numbers_never_change() -> None:
    """A checkpoint of an older release must see the same order: literal values."""
    assert stream("order", 0, 0).permutation(6).tolist() == [1, 2, 5, 0, 3, 4]
    assert derived_seed("dropout", 0, 0) == 3_297_668_186_627_221_160


def _splitmix64(state: int) -> int:
    """Return the output of SplitMix64 for a state, in whole numbers of Python."""
    mask = 2**64 - 1
    mixed = state & mask
    mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9 & mask
    mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB & mask
    return mixed ^ (mixed >> 31)


def test_draws_of_many_indices_are_those_of_each() -> None:
    """The vectorised draw is SplitMix64 at the index, whatever stands beside it."""
    start = int(stream("caption", 3, 2).integers(2**64, dtype=np.uint64))
    indices = [0, 5, 10**12]

    found = draws("caption", 3, 2, np.array(indices, np.int64))

    assert found.tolist() == [
        _splitmix64(start + (index + 1) * 0x9E3779B97F4A7C15) for index in indices
    ]
    assert int(draws("caption", 3, 2, np.array([5], np.int64))[0]) == int(found[1])


def test_draws_are_even() -> None:
    """Modulo four, 40,000 neighbours fall evenly: each within five standard deviations."""
    counts = np.bincount(draws("caption", 0, 0, np.arange(40_000)) % np.uint64(4))

    assert np.abs(counts - 10_000).max() < 5 * np.sqrt(40_000 * 0.25 * 0.75)
