"""The division of texts into parts of like length."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from training.towers.text_parts import Part, bucket, cheapest_parts


def test_a_part_costs_as_much_as_64_tokens_on_a_cpu() -> None:
    """9 texts of 4 and one of 12 tokens: together 120, apart 48 and 64 more; 8 longer pays."""
    assert cheapest_parts([4] * 9 + [12], device="cpu") == [Part(0, 9, 4), Part(9, 10, 12)]
    assert cheapest_parts([4] * 7 + [12], device="cpu") == [Part(0, 8, 12)]


def test_on_a_gpu_a_batch_of_one_kilotext_stays_whole() -> None:
    """Calls cost more there than the tokens of short captions."""
    assert len(cheapest_parts(sorted([8, 16] * 512), device="cuda")) == 1


def test_no_other_division_costs_less() -> None:
    """Against every division of the distinct lengths of random batches."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        lengths = sorted(int(length) for length in rng.integers(2, 9, size=40))
        parts = cheapest_parts(lengths, device="cpu")
        assert [part.start for part in parts[1:]] == [part.stop for part in parts[:-1]]
        assert all(max(lengths[part.start : part.stop]) == part.length for part in parts)
        assert cost(lengths, [part.length for part in parts]) == min(
            cost(lengths, [*stops, lengths[-1]])
            for count in range(7)
            for stops in itertools.combinations(sorted(set(lengths))[:-1], count)
        )


def cost(lengths: list[int], stops: list[int]) -> int:
    """Return the tokens of texts filled up to the next of ``stops``, and the price of parts."""
    return 64 * len(stops) + sum(min(s for s in stops if s >= length) for length in lengths)


@pytest.mark.parametrize(
    ("length", "context", "expected"),
    [(3, 77, 8), (8, 77, 8), (9, 77, 16), (70, 77, 77), (9, 12, 12)],
)
def test_a_bucket_is_the_least_that_holds_a_length(
    length: int, context: int, expected: int
) -> None:
    """The context itself is the last bucket."""
    assert bucket(length, context=context) == expected
