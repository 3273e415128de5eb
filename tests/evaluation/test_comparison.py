"""Rules of evaluation.significance and evaluation.comparison.

# N = queries
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from core.errors import UsageError
from core.measures.resampling import clusters_of
from evaluation.comparison import compare_values, lower_is_better
from evaluation.significance import holm, mcnemar_exact, sign_flip_p_values


@pytest.mark.parametrize(
    ("wins", "losses"), [(0, 0), (1, 0), (5, 0), (10, 2), (31, 29), (300, 240), (4000, 4100)]
)
def test_mcnemar_is_the_binomial_test(wins: int, losses: int) -> None:
    """Two-sided at one half, as SciPy computes it; 1 where nothing differs."""
    from scipy.stats import binomtest

    expected = binomtest(wins, wins + losses, 0.5).pvalue if wins + losses else 1.0

    assert mcnemar_exact(wins, losses) == pytest.approx(expected, rel=1e-8)
    assert mcnemar_exact(losses, wins) == mcnemar_exact(wins, losses)


def test_mcnemar_of_counts_beyond_the_range_of_floats_is_finite() -> None:
    """2 ** -100000 is no float; the test is computed with logarithms."""
    assert mcnemar_exact(100_000, 0) == 0.0
    assert 0.0 < mcnemar_exact(50_500, 49_500) < 0.01


def test_holm_by_hand() -> None:
    """.01, .04, .03 of three: .03, then 2 * .03 = .06, and .04 not below the one before."""
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []


def test_random_sign_flips_come_near_all_sign_flips() -> None:
    """Of ten differences all 1024 sign patterns can be counted; 20 000 random ones agree."""
    differences_N = np.array([0.5, -0.1, 0.3, 0.4, 0.0, 0.2, -0.2, 0.6, 0.1, 0.05])
    observed = abs(differences_N.sum())
    flips = [
        abs(float(np.dot(signs, differences_N))) for signs in itertools.product((1, -1), repeat=10)
    ]
    exact = np.mean([flip >= observed - 1e-12 for flip in flips])

    p = sign_flip_p_values(
        differences_N[:, None], clusters_of(None, rows=10), resamples=20_000, seed=0
    )

    assert p[0] == pytest.approx(exact, abs=0.01)


def test_a_p_value_is_never_zero() -> None:
    """At best 1 / (B + 1): the data as they are, are one of the patterns."""
    p = sign_flip_p_values(np.ones((500, 1)), clusters_of(None, rows=500), resamples=99, seed=0)

    assert p.tolist() == [0.01]


def test_signs_are_flipped_by_cluster() -> None:
    """Fifty captions of two images are two pieces of evidence: p cannot be small."""
    clusters = clusters_of(np.repeat([0, 1], 25), rows=50)

    p = sign_flip_p_values(np.ones((50, 1)), clusters, resamples=999, seed=0)

    assert p[0] == pytest.approx(0.5, abs=0.06)


def test_no_difference_is_certainly_chance() -> None:
    """Equal systems: p is 1, and every query is a tie."""
    values = {"hit@1": np.array([0.0, 1.0, 1.0])}

    (found,) = compare_values(values, values)

    assert (found.p, found.p_holm, found.p_mcnemar) == (1.0, 1.0, 1.0)
    assert (found.wins, found.ties, found.losses, found.difference) == (0, 3, 0, 0.0)


def test_false_alarms_are_as_rare_as_they_should_be() -> None:
    """Of 200 pairs of systems that are alike about one in twenty has p below .05."""
    alarms = 0
    for seed in range(200):
        generator = np.random.default_rng(seed)
        before, after = generator.random((2, 40))
        found = sign_flip_p_values(
            (after - before)[:, None], clusters_of(None, rows=40), resamples=199, seed=seed
        )
        alarms += found[0] <= 0.05

    assert 2 <= alarms <= 22


def test_pairing_sees_what_two_intervals_do_not() -> None:
    """1000 queries, 6 % of them changed: a paired half-width of 1.5 points, unpaired 4.4."""
    generator = np.random.default_rng(7)
    before_N = (generator.random(1000) < 0.5).astype(np.float64)
    after_N = before_N.copy()
    changed = generator.choice(1000, 60, replace=False)
    after_N[changed] = 1 - after_N[changed]

    (found,) = compare_values({"hit@1": before_N}, {"hit@1": after_N})

    assert found.interval.low is not None
    assert found.interval.high is not None
    assert 100 * (found.interval.high - found.interval.low) / 2 == pytest.approx(1.5, abs=0.15)
    assert found.wins + found.losses == 60


def test_wins_follow_the_direction_of_the_metric() -> None:
    """A lower Brier score is the better one; a higher hit rate."""
    before, after = np.array([0.5, 0.5, 0.5]), np.array([0.1, 0.2, 0.9])

    brier, hits = compare_values(
        {"brier": before, "recall@5": before}, {"brier": after, "recall@5": after}
    )

    assert (brier.wins, brier.losses) == (2, 1)
    assert (hits.wins, hits.losses) == (1, 2)
    assert lower_is_better("latency_p95_ms")
    assert not lower_is_better("hit@1")


def test_mcnemar_is_left_out_where_it_does_not_hold() -> None:
    """Captions of one image are not independent, and 0.5 is neither right nor wrong."""
    binary = {"hit@1": np.array([0.0, 1.0, 1.0, 0.0])}
    other = {"recall@5": np.array([0.0, 0.5, 1.0, 0.0])}

    assert compare_values(binary, binary, clusters_N=["a", "a", "b", "b"])[0].p_mcnemar is None
    assert compare_values(other, other)[0].p_mcnemar is None


def test_queries_without_a_value_in_one_of_both_are_left_out() -> None:
    """Three queries, one NaN: means, ties and n are of two."""
    before, after = np.array([0.0, 1.0, np.nan]), np.array([1.0, 1.0, 1.0])

    (found,) = compare_values({"x": before}, {"x": after})

    assert (found.n, found.baseline, found.candidate, found.difference) == (2, 0.5, 1.0, 0.5)
    assert (found.wins, found.ties, found.losses) == (1, 1, 0)


def test_the_correction_is_for_the_metrics_that_are_compared() -> None:
    """One metric alone keeps its p; among three it is up to three times as large."""
    generator = np.random.default_rng(8)
    before = {name: generator.random(30) for name in ("a", "b", "c")}
    after = {name: values + 0.1 * generator.random(30) for name, values in before.items()}

    alone = compare_values({"a": before["a"]}, {"a": after["a"]})[0]
    among = compare_values(before, after)[0]

    assert alone.p == alone.p_holm == among.p
    assert among.p_holm == pytest.approx(3 * among.p)


def test_the_same_seed_gives_the_same_comparison() -> None:
    """All of it, intervals and p values."""
    generator = np.random.default_rng(9)
    before, after = {"x": generator.random(40)}, {"x": generator.random(40)}

    assert compare_values(before, after, seed=1) == compare_values(before, after, seed=1)
    assert compare_values(before, after, seed=1) != compare_values(before, after, seed=2)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ({}, {}, "one or more"),
        ({"x": np.zeros(2)}, {"y": np.zeros(2)}, "expected the same"),
        ({"x": np.zeros(2)}, {"x": np.zeros(3)}, "the same queries"),
        ({"x": np.full(2, np.nan)}, {"x": np.zeros(2)}, "no query has a value"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    before: dict[str, np.ndarray], after: dict[str, np.ndarray], message: str
) -> None:
    """Nothing, other metrics, other lengths, no values."""
    with pytest.raises(UsageError, match=message):
        compare_values(before, after)
    with pytest.raises(UsageError, match="expected counts"):
        mcnemar_exact(-1, 2)
