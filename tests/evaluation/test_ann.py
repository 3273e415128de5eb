"""Rules of evaluation.ann: an index against exact search, texts and images apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.errors import UsageError
from core.types import FloatArray
from evaluation.ann import AnnQueries, measure, sweep, with_exact
from evaluation.ann_report import ann_report
from evaluation.estimates import Statistics
from evaluation.provenance import machine
from index.index_plan import IndexPlan
from index.segment_file import open_segment
from index.segmented_index import SegmentedIndex
from index.tuning import Efforts

DIM = 16


def unit(seed: int, count: int) -> FloatArray:
    """Return random unit vectors (N, D)."""
    vectors_ND = np.random.default_rng(seed).standard_normal((count, DIM))
    return (vectors_ND / np.linalg.norm(vectors_ND, axis=1, keepdims=True)).astype(np.float32)


def asked(modality: str, seed: int, gallery_MD: FloatArray, *, k: int = 5) -> AnnQueries:
    """Return twenty queries with their exact neighbours."""
    names = [f"g{place:04}" for place in range(len(gallery_MD))]
    ids = [f"q{place}" for place in range(20)]
    return with_exact(modality, ids, unit(seed, 20), names, gallery_MD, k=k)


def test_recall_is_the_share_of_the_exact_neighbours() -> None:
    """A search that skips the best hit of every query finds four of five, and never the first."""
    gallery_MD = unit(0, 50)
    queries = asked("text", 1, gallery_MD)

    def search(query_D: FloatArray, k: int) -> FloatArray:
        scores_M: FloatArray = np.sort(gallery_MD @ query_D)[::-1]
        return scores_M[1 : k + 1]

    found = measure(search, queries)

    assert found.recall_Q == pytest.approx(np.full(20, 0.8))
    assert found.first_Q.tolist() == [0.0] * 20
    assert len(found.times_ms) == 20


def test_an_exact_search_finds_everything_however_it_rounds() -> None:
    """Scores that differ in the last bit are the same scores."""
    gallery_MD = unit(0, 50)

    def search(query_D: FloatArray, k: int) -> FloatArray:
        scores_M: FloatArray = np.sort(gallery_MD @ query_D)[::-1]
        return np.nextafter(scores_M[:k], np.float32(-2))

    assert measure(search, asked("text", 1, gallery_MD)).recall_Q.tolist() == [1.0] * 20


def test_more_effort_finds_more(tmp_path: Path) -> None:
    """The sweep of an IVF index: exact kinds find all, more probes never fewer on the mean."""
    gallery_MD = unit(0, 8000)
    index = SegmentedIndex(DIM)
    index.upsert(np.arange(8000), gallery_MD)
    index.snapshot(tmp_path / "rows", plan=IndexPlan())
    rows = open_segment(tmp_path / "rows", dim=DIM)
    queries = [asked("text", 1, gallery_MD), asked("image", 2, gallery_MD)]

    swept = list(sweep(rows, queries, kinds=("flat", "ivf-sq8")))
    index.close()

    flat, *lists = swept
    assert flat.measured[0].recall_Q.mean() == 1.0
    assert len(lists) > 1
    means = [candidate.measured[0].recall_Q.mean() for candidate in lists]
    assert means[-1] >= means[0]
    assert [candidate.plan.probes for candidate in lists] == sorted(
        candidate.plan.probes for candidate in lists
    )


def test_wanted_efforts_are_measured_and_no_others(tmp_path: Path) -> None:
    """Lists of nprobe and depth are crossed, hnsw has its efSearch, exact kinds are as they are."""
    gallery_MD = unit(0, 6000)
    index = SegmentedIndex(DIM)
    index.upsert(np.arange(6000), gallery_MD)
    index.snapshot(tmp_path / "rows", plan=IndexPlan())
    rows = open_segment(tmp_path / "rows", dim=DIM)
    efforts = Efforts(probes=(1, 3), depths=(64, 200), ef=(50,))
    queries = [asked("text", 1, gallery_MD)]

    swept = list(sweep(rows, queries, kinds=("flat", "ivf-sq8", "hnsw"), efforts=efforts))
    with pytest.raises(UsageError, match="takes 1 to lists"):
        list(sweep(rows, queries, kinds=("ivf-sq8",), efforts=Efforts(probes=(5000,))))
    index.close()

    assert [(one.plan.kind, one.plan.probes, one.plan.depth) for one in swept] == [
        ("flat", 0, 0),
        ("ivf-sq8", 1, 64),
        ("ivf-sq8", 1, 200),
        ("ivf-sq8", 3, 64),
        ("ivf-sq8", 3, 200),
        ("hnsw", 0, 50),
    ]


def test_text_and_image_queries_are_reported_apart() -> None:
    """Two metrics, each the mean of its own rows; the other rows have no value in it."""
    gallery_MD = unit(0, 50)
    queries = [asked("text", 1, gallery_MD), asked("image", 2, gallery_MD)]

    def blind(query_D: FloatArray, k: int) -> FloatArray:
        return np.full(k, -1, np.float32)

    def exact(query_D: FloatArray, k: int) -> FloatArray:
        scores_M: FloatArray = np.sort(gallery_MD @ query_D)[::-1][:k]
        return scores_M

    own = [measure(blind, queries[0]), measure(exact, queries[1])]
    report = ann_report(
        own,
        queries,
        [],
        name="test",
        rows=50,
        provenance=machine(),
        statistics=Statistics(resamples=20),
    )

    assert report.metrics["ann_recall@5"].value == 0.0
    assert report.metrics["image_ann_recall@5"].value == 1.0
    assert report.metrics["image_ann_recall@5"].n == 20
    assert {"latency_p95_ms", "image_latency_p95_ms"} <= set(report.metrics)
    assert report.measured is not None
    assert np.isnan(report.measured.values["ann_recall@5"]).sum() == 20


def test_nothing_to_search_is_refused() -> None:
    """No queries, or an empty gallery."""
    with pytest.raises(UsageError, match="0 text queries"):
        with_exact("text", [], unit(0, 0), ["a"], unit(0, 1), k=1)
    with pytest.raises(UsageError, match="0 items"):
        with_exact("text", ["q"], unit(0, 1), [], unit(0, 0), k=1)
