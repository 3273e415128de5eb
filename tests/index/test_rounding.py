"""Rules of rounding to 8 bits: no estimate is further off than the bound says.

# N = rows, D = embedding dimension
"""

from __future__ import annotations

import numpy as np
import pytest

from core.types import FloatArray
from index.rounding import MOST, Rounding
from tests.index.builders import random_units


def estimates(vectors_ND: FloatArray, query_D: FloatArray) -> tuple[Rounding, FloatArray, float]:
    """Return the rounding of a matrix, its estimates for a query (N,) and their bound."""
    rounding = Rounding.of(lambda: iter([vectors_ND]), dim=vectors_ND.shape[1])
    query = rounding.query(query_D)
    sums_N = rounding.codes(vectors_ND).astype(np.float64) @ query.numbers_D.astype(np.float64)
    return rounding, (query.shift + query.factor * sums_N).astype(np.float32), query.error


def skewed(count: int, dim: int, seed: int) -> FloatArray:
    """Return unit vectors with a common direction and one dimension ten times as wide."""
    vectors_ND = random_units(count, dim, seed) + 0.7 * random_units(1, dim, 99)
    vectors_ND[:, 3] *= 10
    unit_ND: FloatArray = vectors_ND / np.linalg.norm(vectors_ND, axis=1, keepdims=True)
    return unit_ND.astype(np.float32)


@pytest.mark.parametrize("make", [random_units, skewed])
@pytest.mark.parametrize("dim", [8, 64, 384])
def test_no_estimate_is_off_by_more_than_the_bound(make: object, dim: int) -> None:
    """Against inner products in float64, for queries like the rows and for the rows themselves."""
    vectors_ND = make(500, dim, 0)  # type: ignore[operator]
    for query_D in [*make(20, dim, 1), *vectors_ND[:20]]:  # type: ignore[operator]
        _, found_N, error = estimates(vectors_ND, query_D)
        exact_N = vectors_ND.astype(np.float64) @ query_D.astype(np.float64)

        assert np.abs(found_N - exact_N).max() <= error


def test_the_bound_is_worth_something() -> None:
    """For vectors in random directions of 384 dimensions it is below 0.02 of a cosine."""
    _, found_N, error = estimates(random_units(2000, 384), random_units(1, 384, seed=7)[0])

    assert error < 0.02
    assert np.std(found_N) > error


def test_whole_numbers_stay_within_a_byte() -> None:
    """Rows and queries lie between -127 and 127, and the largest is reached in each dimension."""
    vectors_ND = skewed(300, 16, 2)
    rounding, _, _ = estimates(vectors_ND, vectors_ND[0])

    assert np.abs(rounding.codes(vectors_ND)).max(axis=0).tolist() == [MOST] * 16
    assert np.abs(rounding.query(vectors_ND[5]).numbers_D).max() == MOST


def test_equal_rows_and_zero_queries_are_no_special_case() -> None:
    """A dimension without any spread, and a query without any length."""
    vectors_ND = np.tile(random_units(1, 8), (5, 1))
    _, found_N, error = estimates(vectors_ND, np.zeros(8, np.float32))

    assert np.abs(found_N).max() <= error


def test_what_is_stored_is_what_is_read() -> None:
    """Stored bounds are never smaller than the measured ones."""
    rounding, _, _ = estimates(skewed(200, 16, 3), random_units(1, 16)[0])
    read = Rounding.from_array(rounding.as_array())

    assert np.array_equal(read.centre_D, rounding.centre_D)
    assert np.array_equal(read.scale_D, rounding.scale_D)
    assert read.longest_codes >= rounding.longest_codes
    assert read.longest_rests >= rounding.longest_rests
