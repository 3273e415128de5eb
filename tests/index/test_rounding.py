"""Rules of rounding to 8 bits: no estimate is further off than the bound says.

# N = rows, D = embedding dimension
"""

from __future__ import annotations

import numpy as np
import pytest

from core.types import FloatArray
from index.rounding import MOST, Rounding
from tests.index.builders import random_units


def rounding_of(vectors_ND: FloatArray) -> Rounding:
    """Return the rounding of a matrix."""
    return Rounding.of(lambda: iter([vectors_ND]), dim=vectors_ND.shape[1])


def estimates(
    rounding: Rounding, codes_ND: FloatArray, query_D: FloatArray
) -> tuple[FloatArray, float]:
    """Return the estimates of a matrix for a query (N,), and their bound."""
    query = rounding.query(query_D)
    sums_N = codes_ND.astype(np.float64) @ query.numbers_D.astype(np.float64)
    return (query.shift + query.factor * sums_N).astype(np.float32), query.error


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
    rounding = rounding_of(vectors_ND)
    codes_ND = rounding.codes(vectors_ND)
    for query_D in [*make(20, dim, 1), *vectors_ND[:20]]:  # type: ignore[operator]
        found_N, error = estimates(rounding, codes_ND, query_D)
        exact_N = vectors_ND.astype(np.float64) @ query_D.astype(np.float64)

        assert np.abs(found_N - exact_N).max() <= error


def test_the_bound_is_worth_something() -> None:
    """For vectors in random directions of 384 dimensions it is below 0.02 of a cosine."""
    vectors_ND = random_units(2000, 384)
    rounding = rounding_of(vectors_ND)
    query_D = random_units(1, 384, seed=7)[0]
    found_N, error = estimates(rounding, rounding.codes(vectors_ND), query_D)

    assert error < 0.02
    assert np.std(found_N) > error


def test_whole_numbers_stay_within_a_byte() -> None:
    """Rows and queries lie between -127 and 127, and the largest is reached in each dimension."""
    vectors_ND = skewed(300, 16, 2)
    rounding = rounding_of(vectors_ND)

    assert np.abs(rounding.codes(vectors_ND)).max(axis=0).tolist() == [MOST] * 16
    assert np.abs(rounding.query(vectors_ND[5]).numbers_D).max() == MOST


def test_equal_rows_and_zero_queries_are_no_special_case() -> None:
    """A dimension without any spread, and a query without any length."""
    vectors_ND = np.tile(random_units(1, 8), (5, 1))
    rounding = rounding_of(vectors_ND)
    found_N, error = estimates(rounding, rounding.codes(vectors_ND), np.zeros(8, np.float32))

    assert np.abs(found_N).max() <= error


def test_what_is_stored_is_what_is_read() -> None:
    """Stored bounds are never smaller than the measured ones."""
    rounding = rounding_of(skewed(200, 16, 3))
    read = Rounding.from_array(rounding.as_array())

    assert np.array_equal(read.centre_D, rounding.centre_D)
    assert np.array_equal(read.scale_D, rounding.scale_D)
    assert read.longest_codes >= rounding.longest_codes
    assert read.longest_rests >= rounding.longest_rests
