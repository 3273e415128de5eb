"""Rules of core.measures.metrics; the golden list is T T F F F T F T with four relevant items."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import UsageError
from core.measures.metrics import (
    average_precision,
    average_precision_at_k,
    f1_at_k,
    hit_at_k,
    ndcg,
    precision_at_k,
    r_precision,
    rank_curve,
    ranks_of,
    recall_at_k,
    reciprocal_rank,
)

GOLDEN = ranks_of([True, True, False, False, False, True, False, True])
PRECISIONS = ("1", "1", "2/3", "1/2", "2/5", "1/2", "3/7", "1/2")
RECALLS = ("1/4", "1/2", "1/2", "1/2", "1/2", "3/4", "3/4", "1")

steady = settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
"""The same examples each time, however slow the machine."""

HITS = st.lists(st.booleans(), min_size=1, max_size=30).filter(any)


def test_the_golden_list_has_its_exact_fractions() -> None:
    """Precision and recall at every k, to the last bit."""
    assert [precision_at_k(GOLDEN, k) for k in range(1, 9)] == [
        float(Fraction(text)) for text in PRECISIONS
    ]
    assert [recall_at_k(GOLDEN, k) for k in range(1, 9)] == [
        float(Fraction(text)) for text in RECALLS
    ]


def test_the_golden_list_prints_as_it_should() -> None:
    """The rows of the issue, with two decimals."""
    curve = rank_curve(GOLDEN, 8)

    assert " ".join(f"{value:.2f}" for value in curve.precision_K) == (
        "1.00 1.00 0.67 0.50 0.40 0.50 0.43 0.50"
    )
    assert " ".join(f"{value:.2f}" for value in curve.recall_K) == (
        "0.25 0.50 0.50 0.50 0.50 0.75 0.75 1.00"
    )


def test_the_golden_list_has_its_summary_values() -> None:
    """Worked out by hand: (1/1 + 2/2 + 3/6 + 4/8) / 4 and so on."""
    assert average_precision(GOLDEN) == 0.75
    assert reciprocal_rank(GOLDEN) == 1.0
    assert r_precision(GOLDEN) == 0.5
    assert hit_at_k(GOLDEN, 1) == 1.0
    assert f1_at_k(GOLDEN, 5) == pytest.approx(4 / 9, rel=1e-15)
    assert average_precision_at_k(GOLDEN, 3) == 0.5
    assert average_precision_at_k(GOLDEN, 5) == 0.5
    assert average_precision_at_k(GOLDEN, 8) == 0.75


def test_precision_is_divided_by_k_even_if_the_list_is_shorter() -> None:
    """Two results, one relevant, k = 5: 1/5, not 1/2."""
    assert precision_at_k(ranks_of([True, False]), 5) == 0.2


def test_recall_is_the_fraction_and_hit_is_any() -> None:
    """One of five captions in the top k: recall .2, hit 1. The CLIP papers call the latter R@k."""
    ranks_R = np.array([3, 20, 30, 40, 50])

    assert recall_at_k(ranks_R, 5) == 0.2
    assert hit_at_k(ranks_R, 5) == 1.0
    assert hit_at_k(ranks_R, 2) == 0.0


def test_relevant_items_that_the_list_misses_count() -> None:
    """One of three found at rank 1: recall 1/3 and AP 1/3, where some libraries say 1."""
    ranks_R = np.array([1])

    assert recall_at_k(ranks_R, 10, relevant=3) == pytest.approx(1 / 3)
    assert average_precision(ranks_R, relevant=3) == pytest.approx(1 / 3)
    assert r_precision(ranks_R, relevant=3) == pytest.approx(1 / 3)
    assert rank_curve(ranks_R, 2, relevant=3).recall_K.tolist() == pytest.approx([1 / 3, 1 / 3])


def test_reciprocal_rank_with_a_cut_off_is_zero_beyond_it() -> None:
    """MRR@k knows nothing after k."""
    ranks_R = np.array([4, 9])

    assert reciprocal_rank(ranks_R) == 0.25
    assert reciprocal_rank(ranks_R, k=4) == 0.25
    assert reciprocal_rank(ranks_R, k=3) == 0.0
    assert reciprocal_rank(np.array([], np.int64)) == 0.0


def test_nothing_found_is_zero() -> None:
    """Relevant items exist and the list has none of them."""
    nothing = np.array([], np.int64)

    assert average_precision(nothing, relevant=2) == 0.0
    assert f1_at_k(nothing, 3, relevant=2) == 0.0
    assert rank_curve(nothing, 3, relevant=2).hit_K.tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("k", [0, -1])
def test_k_is_one_or_more(k: int) -> None:
    """A cut-off below 1 has no meaning."""
    for metric in (precision_at_k, recall_at_k, hit_at_k, f1_at_k, average_precision_at_k):
        with pytest.raises(UsageError, match="expected 1 or more"):
            metric(GOLDEN, k)


@pytest.mark.parametrize("relevant", [0, 3])
def test_fewer_relevant_items_than_the_list_holds_are_refused(relevant: int) -> None:
    """Recall above 1 is a mistake of the caller; so is a query with nothing relevant."""
    with pytest.raises(UsageError, match="no fewer than the 4 in the list"):
        recall_at_k(GOLDEN, 8, relevant=relevant)


def test_a_query_without_relevant_items_has_no_recall() -> None:
    """0 / 0 is refused, not counted as 0."""
    with pytest.raises(UsageError, match="out of the mean"):
        average_precision(np.array([], np.int64))


@steady
@given(HITS, st.integers(0, 5))
def test_the_curve_is_the_scalar_metrics(hits: list[bool], missed: int) -> None:
    """The fast path for all k at once gives the same bits."""
    ranks_R, relevant = ranks_of(hits), sum(hits) + missed
    length = len(hits) + 3

    curve = rank_curve(ranks_R, length, relevant=relevant)

    ks = range(1, length + 1)
    assert curve.precision_K.tolist() == [precision_at_k(ranks_R, k) for k in ks]
    assert curve.recall_K.tolist() == [recall_at_k(ranks_R, k, relevant=relevant) for k in ks]
    assert curve.hit_K.tolist() == [hit_at_k(ranks_R, k) for k in ks]


@steady
@given(HITS, st.integers(0, 5))
def test_every_value_is_a_fraction_and_curves_do_not_fall(hits: list[bool], missed: int) -> None:
    """All in [0, 1]; recall and hit never fall with k; k times precision is whole."""
    ranks_R, relevant = ranks_of(hits), sum(hits) + missed
    curve = rank_curve(ranks_R, len(hits), relevant=relevant)
    counts_K = curve.precision_K * np.arange(1, len(hits) + 1)

    assert np.all(np.diff(curve.recall_K) >= 0)
    assert np.all(np.diff(curve.hit_K) >= 0)
    assert np.all(curve.hit_K >= curve.recall_K)
    np.testing.assert_allclose(counts_K, np.round(counts_K), atol=1e-9)
    for value in (average_precision(ranks_R, relevant=relevant), reciprocal_rank(ranks_R)):
        assert 0.0 <= value <= 1.0
    assert 0.0 <= ndcg(ranks_R, judged_J=np.ones(relevant)) <= 1.0 + 1e-12


@steady
@given(HITS)
def test_an_earlier_relevant_item_never_lowers_a_metric(hits: list[bool]) -> None:
    """Moving a relevant item one place up, past one that is not, is an improvement or none."""
    places = [place for place in range(1, len(hits)) if hits[place] and not hits[place - 1]]
    for place in places:
        better = list(hits)
        better[place - 1], better[place] = True, False
        before, after = ranks_of(hits), ranks_of(better)
        assert average_precision(after) >= average_precision(before)
        assert reciprocal_rank(after) >= reciprocal_rank(before)
        assert ndcg(after) >= ndcg(before) - 1e-12
        assert np.all(rank_curve(after, 5).precision_K >= rank_curve(before, 5).precision_K)


@steady
@given(HITS)
def test_average_precision_is_its_definition(hits: list[bool]) -> None:
    """A naive reading of the formula: the mean of the precisions where something is relevant."""
    precisions = [sum(hits[: place + 1]) / (place + 1) for place, hit in enumerate(hits) if hit]

    assert average_precision(ranks_of(hits)) == pytest.approx(sum(precisions) / sum(hits))
