"""Rules of spreading equal captions over batches (trap 11a)."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np

from training.data.spreading import spread_duplicates


def worst(groups: np.ndarray, batch_size: int) -> Counter[int]:
    """Return for each group how many of it stand in one batch at most."""
    most: Counter[int] = Counter()
    for start in range(0, len(groups) // batch_size * batch_size, batch_size):
        most |= Counter(groups[start : start + batch_size].tolist())
    return most


def test_equal_captions_come_into_different_batches() -> None:
    """By hand: three batches of two, a caption that occurs three times and one that does twice."""
    order_N = np.array([10, 11, 12, 13, 14, 15, 16])
    groups_N = np.array([7, 7, 7, 5, 5, 4, 7])

    spread = spread_duplicates(order_N, groups_N, batch_size=2)

    assert spread.tolist() == [10, 13, 11, 14, 12, 15, 16]


def test_a_batch_has_no_more_of_a_group_than_must_be() -> None:
    """Trap 11a: ceil(count / batches) for every group, with random groups of any size."""
    rng = np.random.default_rng(0)
    order_N = rng.permutation(1000)
    groups_N = rng.zipf(1.5, 1000) % 50
    of_index = dict(zip(order_N.tolist(), groups_N.tolist(), strict=True))

    spread = spread_duplicates(order_N, groups_N, batch_size=16)

    counts = Counter(groups_N[: 62 * 16].tolist())
    found = worst(np.array([of_index[index] for index in spread.tolist()]), 16)
    assert found == {group: math.ceil(count / 62) for group, count in counts.items()}
    assert sorted(spread.tolist()) == sorted(order_N.tolist())


def test_the_pairs_of_the_last_batch_stay() -> None:
    """Else an epoch without it would always leave out the same rare captions."""
    order_N, groups_N = np.arange(11)[::-1].copy(), np.zeros(11, np.int64)

    spread = spread_duplicates(order_N, groups_N, batch_size=4)

    assert spread[8:].tolist() == [2, 1, 0]


def test_less_than_a_batch_is_left_alone() -> None:
    """There is nothing to spread over."""
    assert spread_duplicates(np.array([2, 0, 1]), np.zeros(3, np.int64), batch_size=8).tolist() == [
        2,
        0,
        1,
    ]
