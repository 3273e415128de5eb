"""Rules of encoders.tower_plan: what is run in bulk, what alone, and in runs of which size."""

from __future__ import annotations

import pytest

from core.errors import ConfigError
from encoders.tower_plan import TowerPlan, items_in_bulk, sizes_of_runs, untuned_plan

SINGLE = TowerPlan(chunk=1, fixed=True, run_ms=10.0)
FOURS = TowerPlan(chunk=4, fixed=True, streams=2, run_ms=50.0)


@pytest.mark.parametrize(
    ("count", "in_bulk"),
    [
        (0, 0),
        (1, 0),  # 10 ms alone, 50 in bulk
        (4, 0),  # 40 alone
        (5, 5),  # 50 both ways: bulk; two runs at once take 50, the second filled up
        (8, 8),
        (9, 8),  # 50 + 10
        (12, 8),  # 50 + 40 = 90; in bulk 100
        (13, 13),  # 100 both ways
    ],
)
def test_the_division_that_is_done_soonest_is_taken(count: int, in_bulk: int) -> None:
    """Times by hand: 10 ms a picture alone, 50 ms for two runs of four at once."""
    assert items_in_bulk(count, single=SINGLE, bulk=FOURS) == in_bulk


def test_one_plan_for_both_runs_everything_in_bulk() -> None:
    """As every model does that was not tuned."""
    plan = untuned_plan().image

    assert [items_in_bulk(count, single=plan, bulk=plan) for count in (0, 1, 7)] == [0, 1, 7]


def test_plans_without_times_run_one_alone_and_more_in_bulk() -> None:
    """There is nothing to compute with."""
    single, bulk = TowerPlan(chunk=1), TowerPlan(chunk=8, streams=2)

    assert [items_in_bulk(count, single=single, bulk=bulk) for count in (1, 2)] == [0, 2]


@pytest.mark.parametrize(("count", "sizes"), [(0, []), (3, [3]), (4, [4]), (9, [4, 4, 1])])
def test_fixed_runs_are_full_but_for_the_last(count: int, sizes: list[int]) -> None:
    """The last one is filled up by the tower."""
    assert sizes_of_runs(count, FOURS) == sizes


@pytest.mark.parametrize(
    ("count", "sizes"),
    [(0, []), (1, [1]), (5, [3, 2]), (16, [8, 8]), (17, [5, 4, 4, 4]), (33, [6, 6, 6, 5, 5, 5])],
)
def test_free_runs_are_alike_and_as_many_as_the_streams_need(count: int, sizes: list[int]) -> None:
    """Two streams, at most eight a run: no stream waits for the other."""
    assert sizes_of_runs(count, TowerPlan(chunk=8, streams=2)) == sizes


def test_items_a_second_count_all_streams() -> None:
    """Two runs of four in 50 ms are 160 a second; what was not measured has none."""
    assert FOURS.per_second == 160.0
    assert TowerPlan().per_second == 0.0


@pytest.mark.parametrize(
    "fields", [{"chunk": 0}, {"streams": 0}, {"threads": -1}, {"run_ms": float("nan")}]
)
def test_numbers_that_cannot_be_run_are_refused(fields: dict[str, float]) -> None:
    """The message names the field, the value and the limit."""
    name, value = next(iter(fields.items()))

    with pytest.raises(ConfigError, match=rf"{name} = {value}: expected"):
        TowerPlan(**fields)  # type: ignore[arg-type]  # one field at a time
