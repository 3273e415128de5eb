"""Rules of approximate bases: neighbours are found, k changes no order, filters are whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.types import FloatArray, IdArray
from index import base_segment
from index.index_plan import IndexPlan, Kind, make_plan
from index.scoring import row_scores
from index.segmented_index import SegmentedIndex
from tests.index.builders import random_units
from tests.index.index_contract import best, naive

COUNT, DIM, DEPTH = 6000, 32, 512
APPROXIMATE: tuple[Kind, ...] = ("ivf-sq8", "ivf-pq", "ivf-rabitq", "pq", "rabitq", "hnsw")


def clustered(count: int, seed: int) -> FloatArray:
    """Return unit vectors around 40 centres, as image embeddings are."""
    rng = np.random.default_rng(seed)
    centres = random_units(40, DIM, seed=99)
    vectors_ND = centres[rng.integers(0, 40, count)] + 0.6 * random_units(count, DIM, seed)
    return (vectors_ND / np.linalg.norm(vectors_ND, axis=1, keepdims=True)).astype(np.float32)


VECTORS_ND = clustered(COUNT, seed=0)
ROWS_N = np.arange(COUNT) * 3 + 1


@pytest.fixture(scope="module", params=APPROXIMATE)
def merged(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> object:
    """Return an index of each kind, everything merged into its base."""
    plan = make_plan(request.param, COUNT, depth=DEPTH)
    return build(tmp_path_factory.mktemp("base") / "a.segment", plan)


@pytest.fixture(autouse=True)
def _small_filters_are_approximate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let filters of more than 300 rows reach the approximate index."""
    monkeypatch.setattr(base_segment, "_GATHERED_ROWS", 300)


def build(path: Path, plan: IndexPlan) -> SegmentedIndex:
    """Return an index whose base has the plan."""
    index = SegmentedIndex(DIM, plan_for=lambda _: plan)
    index.upsert(ROWS_N, VECTORS_ND)
    index.snapshot(path)
    index.adopt(path)
    assert index.plan == plan
    return index


def answer(index: SegmentedIndex, query_D: FloatArray, count: int, **more: object) -> list[int]:
    """Return the first ``count`` row ids as a collection orders them: asking until it is sure."""
    fetch = count
    while True:
        (found,) = index.search(query_D[np.newaxis], count=fetch, **more)  # type: ignore[arg-type]
        certain_K = found.scores_K > found.floor
        if found.floor == -np.inf or certain_K.sum() >= count:
            order = np.lexsort((found.row_ids_K[certain_K], -found.scores_K[certain_K]))[:count]
            ids: list[int] = found.row_ids_K[certain_K][order].tolist()
            return ids
        fetch *= 4


def test_almost_all_neighbours_are_found(merged: SegmentedIndex) -> None:
    """At least 95 of 100 true neighbours, for every kind, after exact re-ranking."""
    queries_QD = clustered(40, seed=5)
    shared = [
        len(set(answer(merged, q, 10)) & set(naive(q, ROWS_N, VECTORS_ND, 10))) for q in queries_QD
    ]

    assert sum(shared) >= 0.95 * 400


def test_scores_are_exact(merged: SegmentedIndex) -> None:
    """What is found carries the score that an exact search gives, not that of a code."""
    query_D = clustered(1, seed=6)[0]
    (found,) = merged.search(query_D[np.newaxis], count=20)

    rows_K = (found.row_ids_K - 1) // 3
    assert np.array_equal(found.scores_K, row_scores(query_D, VECTORS_ND[rows_K]))
    assert found.plan == merged.plan.describe() != "exact"


@pytest.mark.parametrize("share", [1.0, 0.5, 0.1])
def test_the_order_is_the_same_for_every_count(merged: SegmentedIndex, share: float) -> None:
    """The first n of a longer answer are the answer for n, past the end of the pool as well."""
    chosen_N: IdArray | None = None
    if share < 1:
        chosen_N = ROWS_N[np.random.default_rng(3).permutation(COUNT)[: int(share * COUNT)]]
    query_D = clustered(1, seed=7)[0]
    whole = answer(merged, query_D, 600, allowed_N=chosen_N)

    for count in (1, 10, 60, 70, 129, 300):
        assert answer(merged, query_D, count, allowed_N=chosen_N) == whole[:count]


@pytest.mark.parametrize("share", [0.001, 0.02, 0.08, 0.3, 0.9])
def test_a_filter_finds_k_whenever_k_exist(merged: SegmentedIndex, share: float) -> None:
    """Whatever the selectivity; all of them allowed, none twice."""
    chosen_N = ROWS_N[np.random.default_rng(4).permutation(COUNT)[: max(6, int(share * COUNT))]]
    query_D = clustered(1, seed=8)[0]
    wanted = min(150, len(chosen_N))

    found = answer(merged, query_D, 150, allowed_N=chosen_N)

    assert len(found) == len(set(found)) == wanted
    assert set(found) <= set(chosen_N.tolist())


def test_small_filters_are_exact(merged: SegmentedIndex) -> None:
    """Below the limit every allowed row is looked at."""
    chosen_N = ROWS_N[::30]
    query_D = clustered(1, seed=9)[0]
    (found,) = merged.search(query_D[np.newaxis], count=10, allowed_N=chosen_N)

    assert best(found, 10) == naive(query_D, chosen_N, VECTORS_ND[::30], 10)
    assert found.plan == "exact"


def test_effort_exact_is_exact(merged: SegmentedIndex) -> None:
    """Brute force is one word away."""
    for query_D in clustered(10, seed=10):
        (found,) = merged.search(query_D[np.newaxis], count=25, effort="exact")
        assert best(found, 25) == naive(query_D, ROWS_N, VECTORS_ND, 25)


@pytest.mark.parametrize("kind", APPROXIMATE)
def test_deleted_rows_are_not_found_and_new_ones_are(tmp_path: Path, kind: Kind) -> None:
    """Tombstones and the delta work over every kind of base."""
    index = build(tmp_path / "a.segment", make_plan(kind, COUNT, depth=DEPTH))
    query_D = clustered(1, seed=11)[0]
    gone = answer(index, query_D, 1200)[:1100]
    index.delete(np.array(gone))
    index.upsert(np.array([10**6]), query_D[np.newaxis])

    found = answer(index, query_D, 30)

    assert found[0] == 10**6
    assert not set(found) & set(gone)
    assert len(found) == 30


@pytest.mark.parametrize("kind", APPROXIMATE)
def test_a_base_without_a_living_row_finds_nothing(tmp_path: Path, kind: Kind) -> None:
    """All deleted, or all but three: no error, no ghost."""
    index = build(tmp_path / "a.segment", make_plan(kind, COUNT, depth=DEPTH))
    index.delete(ROWS_N[3:])
    assert answer(index, VECTORS_ND[0], 10)[0] == ROWS_N[0]
    assert len(answer(index, VECTORS_ND[0], 10)) == 3

    index.delete(ROWS_N)
    assert answer(index, VECTORS_ND[0], 10) == []


def test_few_probes_are_no_exact_search(tmp_path: Path) -> None:
    """A pool that is shorter than the depth still begins the answer."""
    index = build(tmp_path / "a.segment", make_plan("ivf-sq8", COUNT, probes=4, depth=5000))
    (found,) = index.search(VECTORS_ND[:1], count=10)

    assert found.plan == "ivf-sq8 nprobe=4, re-ranked"


def test_too_few_rows_to_train_are_flat(tmp_path: Path) -> None:
    """A plan that cannot be built yet is exact search until there are rows enough."""
    plan = make_plan("ivf-sq8", COUNT)
    index = SegmentedIndex(DIM, plan_for=lambda _: plan)
    index.upsert(ROWS_N[:100], VECTORS_ND[:100])
    index.snapshot(tmp_path / "a.segment")
    index.adopt(tmp_path / "a.segment")

    assert index.plan == IndexPlan()
    assert index.capabilities.exact


def test_a_base_is_the_same_every_time(tmp_path: Path) -> None:
    """Equal rows give equal files: nothing random, nothing of the clock."""
    plan = make_plan("ivf-sq8", COUNT)
    for name in ("a", "b"):
        build(tmp_path / name, plan)

    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
