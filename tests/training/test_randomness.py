"""Rules of random numbers by position."""

from __future__ import annotations

from training.randomness import derived_seed, stream


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
