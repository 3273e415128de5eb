"""Rules of index plans."""

from __future__ import annotations

import pytest

from core.errors import UsageError
from index.index_plan import (
    IndexPlan,
    choose,
    factory_string,
    lists_for,
    make_plan,
    plan_of_json,
    resident_bytes,
    trainable,
)


@pytest.mark.parametrize(
    ("count", "kind"),
    [
        (0, "flat"),
        (9_999, "flat"),
        (10_000, "flat-int8"),
        (299_999, "flat-int8"),
        (300_000, "ivf-sq8"),
        (6_000_000, "ivf-rabitq"),
    ],
)
def test_the_size_decides(count: int, kind: str) -> None:
    """Exact while that is quick, then ever smaller codes."""
    assert choose(count, 512).kind == kind


def test_memory_makes_codes_smaller() -> None:
    """100 000 x 512: 205 MB in float32, 51 in 8 bits, 8 in RaBitQ."""
    kinds = [choose(100_000, 512, memory_mb=limit).kind for limit in (400, 110, 60, 20, 1)]

    assert kinds == [*["flat-int8"] * 3, "ivf-rabitq", "ivf-rabitq"]


def test_a_target_of_one_is_exact() -> None:
    """Whoever wants every neighbour gets 8 bits with exact re-ranking at any size."""
    assert choose(1_000_000, 512, target=1.0).kind == "flat-int8"


def test_lists_grow_with_the_root() -> None:
    """2 * sqrt(100 000) = 632, of which the nearest power of two is 512."""
    assert lists_for(100_000) == 512
    assert lists_for(1_000_000) == 2048
    assert lists_for(0) == 16


def test_names_are_those_of_a_search() -> None:
    """What ``plan`` says in an answer."""
    assert make_plan("ivf-sq8", 10**6, probes=32).describe() == "ivf-sq8 nprobe=32, re-ranked"
    assert make_plan("pq", 10**6).describe() == "pq, re-ranked"
    assert IndexPlan("flat-int8").describe() == IndexPlan("flat-fp16").describe() == "exact"


def test_a_plan_survives_json() -> None:
    """What is stored is what is read."""
    plan = make_plan("ivf-rabitq", 10**6, probes=7, depth=256)

    assert plan_of_json(plan.as_json()) == plan


@pytest.mark.parametrize("value", [{}, {"kind": "tree"}, {"kind": "ivf-sq8", "lists": "many"}])
def test_what_is_no_plan_is_refused(value: dict[str, object]) -> None:
    """The message names the kinds there are."""
    with pytest.raises(UsageError, match="ivf-sq8"):
        plan_of_json(value)  # type: ignore[arg-type]


@pytest.mark.parametrize(("lists", "probes", "depth"), [(16, 17, 64), (16, 0, 64), (16, 4, 15)])
def test_parameters_out_of_range_are_refused(lists: int, probes: int, depth: int) -> None:
    """More probes than lists, none, or next to nothing to re-rank."""
    with pytest.raises(UsageError, match="takes"):
        IndexPlan("ivf-sq8", lists, probes, depth)


def test_what_cannot_be_trained_is_flat() -> None:
    """39 points a list, as FAISS asks for; PQ cuts vectors into fours."""
    assert trainable(make_plan("ivf-sq8", 10_000), 39 * lists_for(10_000) - 1, 512).kind == "flat"
    assert trainable(make_plan("pq", 10_000), 10_000, 30).kind == "flat"
    assert trainable(make_plan("pq", 10_000), 10_000, 32).kind == "pq"


def test_factory_strings_and_sizes() -> None:
    """Worked out by hand for D = 512."""
    assert factory_string(make_plan("ivf-pq", 10**6), 512) == "IVF2048,PQ128x4fs"
    assert resident_bytes("pq", 1000, 512) == 64_000
    assert resident_bytes("flat", 1000, 512) == 2_048_000
