"""How often a batch calls two equal things a negative, and what that does to the loss.

A batch is B of N pairs, drawn without replacement. Pair i is equal, in caption or in image, to
d_i = (pairs with its caption) + (pairs with its image) - (pairs with both) - 1 others. Of the
B - 1 others in its batch, K_i are among those: hypergeometric with d_i successes in N - 1. Hence

    share of negatives that are none   E[K_i] / (B - 1) = mean(d_i) / (N - 1), whatever B
    pictures with at least one         mean of 1 - P(K_i = 0)
    floor of the loss                  mean of E[ln(1 + K_i)], in nats

The floor: pair i has 1 + K_i right answers in its batch, the target is uniform over them, and no
prediction has a cross-entropy below the entropy of the target, ln(1 + K_i). It is the floor of
Sightline's loss. A loss that takes all but the own pair as negatives ends higher: with M equal
captions, A equal images and C equal in both, own pair included, at the mean of ln(M A / C), and
M A / C is at least M + A - C = 1 + K_i.

# N = pairs, E = different values of d
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.types import IdArray
from training.doctor.groups import numbered

Degrees = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class BatchOutlook:
    """What to expect of batches of one size."""

    batch_size: int
    guessing: float
    """Loss of a model that knows nothing: ln(batch size), in nats."""
    floor: float
    """Loss that no model can get below, in nats: see the top of the file."""
    negatives_equal: float
    """Share of the in-batch negatives that are equal to the pair in caption or image."""
    pairs_affected: float
    """Share of the pairs that meet at least one such negative in their batch."""


def equal_others(captions_N: IdArray, images_N: IdArray) -> Degrees:
    """Return for each pair (N,) how many other pairs have its caption or its image.

    Args:
        captions_N: a number for each pair's caption that equal captions share.
        images_N: the same for its image.
    """
    both_N = numbered(zip(captions_N.tolist(), images_N.tolist(), strict=True))
    return _counts(captions_N) + _counts(images_N) - _counts(both_N) - 1


def batch_outlook(equal_N: Degrees, batch_size: int) -> BatchOutlook:
    """Return what batches of ``batch_size`` hold, given the equal others (N,) of each pair.

    Raises:
        ValueError: the batch has fewer than 2 pairs, or more than there are.
    """
    count = len(equal_N)
    if not 2 <= batch_size <= count:  # noqa: PLR2004 - one negative
        raise ValueError(f"batch_size = {batch_size}: expected 2 to {count}")
    log_factorial = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, count + 1)))])
    degrees_E, occurrences_E = np.unique(equal_N, return_counts=True)
    floor = affected = 0.0
    for degree, occurrences in zip(degrees_E.tolist(), occurrences_E.tolist(), strict=True):
        found, probability = _hypergeometric(count - 1, degree, batch_size - 1, log_factorial)
        weight = occurrences / count
        floor += weight * float(probability @ np.log1p(found))
        affected += weight * float(probability[found > 0].sum())
    return BatchOutlook(
        batch_size=batch_size,
        guessing=math.log(batch_size),
        floor=floor,
        negatives_equal=float(equal_N.mean()) / (count - 1),
        pairs_affected=min(affected, 1.0),
    )


def _counts(groups_N: IdArray) -> Degrees:
    """Return for each row the size of its group."""
    _, inverse, counts = np.unique(groups_N, return_inverse=True, return_counts=True)
    sizes: Degrees = counts[inverse].astype(np.int64)
    return sizes


def _hypergeometric(
    population: int, successes: int, draws: int, log_factorial: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the possible numbers of successes among the draws, and their probabilities."""
    failures = population - successes
    found = np.arange(max(0, draws - failures), min(successes, draws) + 1)

    def ways(of: int, chosen: NDArray[np.int64]) -> NDArray[np.float64]:
        logs: NDArray[np.float64] = (
            log_factorial[of] - log_factorial[chosen] - log_factorial[of - chosen]
        )
        return logs

    total = ways(population, np.array([draws]))
    return found, np.exp(ways(successes, found) + ways(failures, draws - found) - total)
