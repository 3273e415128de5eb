"""Rules of training.doctor.false_negatives."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from core.types import IdArray
from training.doctor.false_negatives import batch_outlook, equal_others

CAPTIONS = np.array([0, 0, 1, 2, 2, 2, 3])
IMAGES = np.array([0, 1, 1, 2, 2, 3, 4])


def equal(one: int, other: int) -> bool:
    """Return whether two rows share caption or image."""
    return bool(CAPTIONS[one] == CAPTIONS[other] or IMAGES[one] == IMAGES[other])


def test_equal_others_are_counted_once() -> None:
    """Row 3 and 4 share caption and image; that is one other, not two."""
    assert equal_others(CAPTIONS, IMAGES).tolist() == [1, 2, 1, 2, 2, 2, 0]


def test_two_of_four_pairs_with_one_caption() -> None:
    """By hand: of a batch of two, 2 of 12 ordered pairs are false negatives."""
    outlook = batch_outlook(equal_others(np.array([0, 0, 1, 2]), np.arange(4)), 2)

    assert outlook.negatives_equal == pytest.approx(1 / 6)
    assert outlook.pairs_affected == pytest.approx(1 / 6)
    assert outlook.floor == pytest.approx(math.log(2) / 6)
    assert outlook.guessing == pytest.approx(math.log(2))


@pytest.mark.parametrize("size", [2, 3, 5, 7])
def test_it_is_the_mean_over_all_batches(size: int) -> None:
    """Every batch that can be drawn from seven pairs, counted one by one."""
    equals, affected, floors = [], [], []
    for batch in itertools.combinations(range(7), size):
        for one in batch:
            others = sum(equal(one, other) for other in batch if other != one)
            equals.append(others / (size - 1))
            affected.append(others > 0)
            floors.append(math.log(1 + others))

    outlook = batch_outlook(equal_others(CAPTIONS, IMAGES), size)

    assert outlook.negatives_equal == pytest.approx(np.mean(equals))
    assert outlook.pairs_affected == pytest.approx(np.mean(affected))
    assert outlook.floor == pytest.approx(np.mean(floors))


def simulate(captions: IdArray, size: int, *, batches: int) -> tuple[float, float]:
    """Draw batches and return the share of equal negatives, and of pairs that meet one."""
    rng = np.random.default_rng(0)
    equals, affected = [], []
    for _ in range(batches):
        drawn = captions[rng.permutation(len(captions))[:size]]
        others = (drawn[:, None] == drawn[None, :]).sum(axis=1) - 1
        equals.append(others.mean() / (size - 1))
        affected.append((others > 0).mean())
    return float(np.mean(equals)), float(np.mean(affected))


def test_a_simulation_agrees() -> None:
    """A thousand pairs with captions of very different frequency, batches of 64."""
    captions = np.random.default_rng(1).zipf(1.4, 1000) % 300
    outlook = batch_outlook(equal_others(captions, np.arange(1000)), 64)

    equals, affected = simulate(captions, 64, batches=400)

    assert outlook.negatives_equal == pytest.approx(equals, rel=0.03)
    assert outlook.pairs_affected == pytest.approx(affected, rel=0.03)


def test_no_prediction_gets_below_the_floor() -> None:
    """Cross-entropy against targets that are uniform over the equal pairs, all in one batch."""
    same = np.array([[one == other or equal(one, other) for other in range(7)] for one in range(7)])
    targets = same / same.sum(axis=1, keepdims=True)
    logits = np.random.default_rng(0).normal(size=(100, 7, 7))
    guesses = np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)

    floor = batch_outlook(equal_others(CAPTIONS, IMAGES), 7).floor

    assert (-(targets * np.log(guesses)).sum(axis=2).mean(axis=1)).min() > floor
    best = np.where(same, targets, 1)
    assert -(targets * np.log(best)).sum(axis=1).mean() == pytest.approx(floor)


def test_different_pairs_leave_no_floor() -> None:
    """Nothing is equal, so the loss can reach zero."""
    outlook = batch_outlook(equal_others(np.arange(50), np.arange(50)), 20)

    assert (outlook.floor, outlook.negatives_equal, outlook.pairs_affected) == (0, 0, 0)


def test_one_caption_for_all_leaves_nothing_to_learn() -> None:
    """The floor is what guessing reaches."""
    outlook = batch_outlook(equal_others(np.zeros(40, np.int64), np.arange(40)), 16)

    assert outlook.floor == pytest.approx(outlook.guessing)
    assert outlook.negatives_equal == pytest.approx(1)
    assert outlook.pairs_affected == pytest.approx(1)


@pytest.mark.parametrize("size", [1, 8])
def test_a_batch_that_cannot_be_is_refused(size: int) -> None:
    """One pair has no negative, and eight of seven cannot be drawn."""
    with pytest.raises(ValueError, match="expected 2 to 7"):
        batch_outlook(equal_others(CAPTIONS, IMAGES), size)
