"""Rules of tuning: texts decide, exact search is the reference, the cheapest good one wins."""

from __future__ import annotations

import numpy as np
import pytest

from core.types import FloatArray
from index.ann_recall import ann_recall, estimate, queries_needed
from index.index_plan import IndexPlan
from index.segment_file import Segment, open_segment
from index.segmented_index import SegmentedIndex
from index.tuning import Measured, Queries, Tuning, measured_of_json, tune
from tests.index.builders import random_units

COUNT, DIM = 6000, 32


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Segment:
    """Return 6000 clustered rows."""
    path = tmp_path_factory.mktemp("rows") / "rows.segment"
    rng = np.random.default_rng(0)
    index = SegmentedIndex(DIM)
    index.upsert(np.arange(COUNT), clustered(rng, COUNT))
    index.snapshot(path, plan=IndexPlan())
    return open_segment(path, dim=DIM)


def clustered(rng: np.random.Generator, count: int) -> FloatArray:
    """Return unit vectors around 30 centres."""
    centres = random_units(30, DIM, seed=50)
    vectors_ND = centres[rng.integers(0, 30, count)] + 0.1 * rng.standard_normal((count, DIM))
    units_ND: FloatArray = (vectors_ND / np.linalg.norm(vectors_ND, axis=1, keepdims=True)).astype(
        np.float32
    )
    return units_ND


def queries(count: int = 120) -> Queries:
    """Return image-like queries of the clusters and text-like ones from anywhere."""
    rng = np.random.default_rng(1)
    return Queries(random_units(count, DIM, seed=2), clustered(rng, count))


def test_what_is_chosen_meets_the_target_for_texts(rows: Segment) -> None:
    """Every harder setting is measured until the texts' interval is above the target."""
    found = tune(rows, queries(), k=10, target=0.9)

    assert found.chosen is not None
    assert found.chosen.meets(0.9)
    good = [measured for measured in found.measured if measured.meets(0.9)]
    assert found.chosen.text.p50_ms == min(measured.text.p50_ms for measured in good)
    lists = [measured for measured in found.measured if measured.plan.kind == "ivf-sq8"]
    assert lists
    assert all(not measured.meets(0.9) for measured in lists[:-1])
    assert [measured.plan.probes for measured in lists] == sorted(
        measured.plan.probes for measured in lists
    )


def test_texts_need_more_probes_than_images(rows: Segment) -> None:
    """The reason for all this: at the cheapest setting images look better than texts are."""
    found = tune(rows, queries(), k=10, target=0.999, kinds=("flat", "ivf-sq8"))

    cheapest = found.measured[1]
    assert cheapest.image.recall.mean > cheapest.text.recall.mean + 0.05


def test_exact_kinds_are_perfect(rows: Segment) -> None:
    """Float32 and float16 find every neighbour of every query."""
    found = tune(rows, queries(), k=10, target=0.95, kinds=("flat", "flat-fp16"))

    for measured in found.measured:
        assert measured.text.recall.mean == measured.image.recall.mean == 1.0


def test_too_few_queries_prove_nothing(rows: Segment) -> None:
    """With ten queries no approximate index is chosen, however good it looks."""
    found = tune(rows, queries(10), k=10, target=0.95)

    assert found.chosen is not None
    assert found.chosen.plan.exact


def test_memory_leaves_candidates_out(rows: Segment) -> None:
    """6000 x 32 float32 are 0.75 MB; where only codes fit and fail, nothing is chosen."""
    found = tune(rows, queries(10), k=10, target=0.95, memory_mb=0)

    assert found.measured == ()
    assert found.chosen is None


def test_the_table_survives_json(rows: Segment) -> None:
    """What is stored with the plan can be shown later."""
    seen: list[Measured] = []
    found: Tuning = tune(rows, queries(20), k=5, target=0.9, kinds=("flat",), done=seen.append)

    assert [measured_of_json(measured.as_json()) for measured in found.measured] == seen
    assert found.as_json()["rows"] == COUNT


def test_ann_recall_counts_hits_as_good_as_the_last() -> None:
    """Two of the three found score at least .7, the worst of the exact three."""
    exact_K, found_K = np.array([0.9, 0.8, 0.7]), np.array([0.9, 0.7, 0.6])

    assert ann_recall(found_K, exact_K) == pytest.approx(2 / 3)
    assert ann_recall(np.array([0.7, 0.7, 0.7, 0.7]), exact_K) == 1.0
    assert ann_recall(np.empty(0), np.empty(0)) == 1.0


def test_intervals_are_those_of_wilson() -> None:
    """9 of 10: .596 to .982 (Brown, Cai and DasGupta, 2001); all of 73: just above .95."""
    found = estimate(np.array([1.0] * 9 + [0.0]))

    assert found.mean == pytest.approx(0.9)
    assert (found.low, found.high) == pytest.approx((0.5958, 0.9821), abs=1e-3)
    assert queries_needed(0.95) == 73
    assert estimate(np.ones(73)).low >= 0.95 > estimate(np.ones(72)).low
