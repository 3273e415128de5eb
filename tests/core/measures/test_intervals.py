"""Rules of core.measures.intervals and core.measures.resampling.

# N = rows, G = clusters
"""

from __future__ import annotations

import numpy as np
import pytest

from core.errors import UsageError
from core.measures.intervals import (
    bootstrap,
    bootstrap_each,
    interval_of_mean,
    intervals_of_means,
    smallest_detectable_difference,
    wilson_interval,
)
from core.measures.resampling import clusters_of, resampled_means, resampled_rows
from core.types import IdArray


def captions(images: int, seed: int = 0) -> tuple[np.ndarray, IdArray]:
    """Return 0/1 of five captions of each image, alike within an image, and their images."""
    generator = np.random.default_rng(seed)
    easy_G = generator.beta(0.5, 0.5, images)
    image_N = np.repeat(np.arange(images), 5)
    return (generator.random(5 * images) < easy_G[image_N]).astype(np.float64), image_N


def width(values_N: np.ndarray, clusters_N: IdArray | None, *, resamples: int = 500) -> float:
    """Return half the width of the interval of the mean."""
    interval = interval_of_mean(values_N, clusters_N=clusters_N, resamples=resamples)
    assert interval.low is not None
    assert interval.high is not None
    return (interval.high - interval.low) / 2


@pytest.mark.parametrize(
    ("count", "share", "points"),
    [(200, 0.25, 6.0), (1000, 0.2, 2.5), (5000, 0.5, 1.4), (50_000, 0.5, 0.4)],
)
def test_wilson_half_widths(count: int, share: float, points: float) -> None:
    """What a table of this size can tell at 95 %, in points."""
    interval = wilson_interval(round(count * share), count)

    assert interval.low is not None
    assert interval.high is not None
    assert 100 * (interval.high - interval.low) / 2 == pytest.approx(points, abs=0.05)


def test_wilson_is_the_formula() -> None:
    """8 of 10 at 95 %: .4902 to .9433, as in the tables."""
    interval = wilson_interval(8, 10)

    assert (interval.low, interval.high) == pytest.approx((0.490162, 0.943318), abs=1e-6)


@pytest.mark.parametrize("count", [1, 7, 60, 1000])
def test_wilson_holds_the_proportion_and_stays_in_range(count: int) -> None:
    """Also at 0 and at 1, where other intervals have no width or leave 0 to 1."""
    for successes in {0, count // 3, count}:
        interval = wilson_interval(successes, count)
        assert interval.low is not None
        assert interval.high is not None
        assert 0 <= interval.low <= successes / count <= interval.high <= 1
        assert interval.low < interval.high


def test_the_method_says_what_was_done() -> None:
    """Wilson for independent 0/1, else the bootstrap, by cluster where there are some."""
    binary_N, other_N = np.array([0.0, 1, 1, 0]), np.array([0.1, 0.5, 0.2, 0.9])

    assert interval_of_mean(binary_N).method == "wilson"
    assert interval_of_mean(binary_N, clusters_N=["a", "b", "c", "d"]).method == "wilson"
    assert interval_of_mean(binary_N, clusters_N=["a", "a", "b", "b"]).method == "cluster bootstrap"
    assert interval_of_mean(other_N).method == "bootstrap"


def test_one_cluster_has_no_interval() -> None:
    """Five captions of one image say nothing of other images."""
    for values_N, clusters_N in (
        (np.array([1.0]), None),
        (np.array([1.0, 0.0, 1.0]), [4, 4, 4]),
        (np.array([1.0, np.nan]), None),
        (np.array([]), None),
    ):
        interval = interval_of_mean(values_N, clusters_N=clusters_N)
        assert (interval.low, interval.high, interval.method) == (None, None, "none")


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    """Two runs of all the statistics are equal to the last bit."""
    values_N, image_N = captions(60)
    table_NM = values_N[:, None]
    clusters = clusters_of(image_N, rows=len(values_N))

    first, again, other = (
        resampled_means(table_NM, clusters, resamples=200, seed=seed).tobytes()
        for seed in (3, 3, 4)
    )

    assert first == again
    assert first != other


def test_many_metrics_at_once_have_the_intervals_that_each_has_alone() -> None:
    """One resampling serves them all; rows without a value are in no mean."""
    generator = np.random.default_rng(5)
    values = {"one": generator.random(50), "two": generator.random(50)}
    values["two"][:7] = np.nan

    together = intervals_of_means(values, resamples=300)

    for name, values_N in values.items():
        alone = interval_of_mean(values_N, resamples=300)
        assert (alone.low, alone.high) == pytest.approx((together[name].low, together[name].high))


def test_any_statistic_has_the_interval_of_the_mean_where_it_is_the_mean() -> None:
    """Rows drawn for a function are those that the fast path draws."""
    values_N, image_N = captions(40)

    fast = interval_of_mean(values_N, clusters_N=image_N, resamples=300)
    slow = bootstrap(
        lambda rows: float(values_N[rows].mean()), len(values_N), clusters_N=image_N, resamples=300
    )

    assert (slow.low, slow.high) == pytest.approx((fast.low, fast.high))


def test_a_cluster_is_drawn_whole() -> None:
    """In every sample the rows of an image are as often there as each other."""
    clusters = clusters_of(["b", "a", "b", "c", "b"], rows=5)
    for rows in resampled_rows(clusters, resamples=20, seed=0):
        counts_N = np.bincount(rows, minlength=5)
        assert counts_N[0] == counts_N[2] == counts_N[4]
        assert counts_N[[0, 1, 3]].sum() == 3


def test_clusters_make_the_interval_as_wide_as_it_is() -> None:
    """Captions of one image succeed together: ignoring that claims too much."""
    values_N, image_N = captions(400)

    assert width(values_N, image_N) > 1.3 * width(values_N + 1e-9, None)


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    """Of 300 samples of a known mean about 95 % of the intervals hold it, clustered or not."""
    held = {"independent": 0, "clustered": 0}
    for seed in range(300):
        generator = np.random.default_rng(1000 + seed)
        # A little off 0 and 1, so that the bootstrap is asked and not Wilson.
        values_N = np.where(generator.random(120) < 0.3, 1.0, 1e-12)
        interval = interval_of_mean(values_N, resamples=300, seed=seed)
        held["independent"] += (interval.low or 0.0) <= 0.3 <= (interval.high or 0.0)
        clustered_N, image_N = captions(80, seed=2000 + seed)
        interval = interval_of_mean(clustered_N, clusters_N=image_N, resamples=300, seed=seed)
        held["clustered"] += (interval.low or 0.0) <= 0.5 <= (interval.high or 0.0)

    assert 0.90 <= held["independent"] / 300 <= 0.98
    assert 0.90 <= held["clustered"] / 300 <= 0.98


def test_the_smallest_detectable_difference_is_two_point_eight_standard_errors() -> None:
    """Z of 97.5 % and z of 80 % are 1.95996 and 0.84162."""
    values_N = np.array([0.0, 1.0] * 50)
    error = np.sqrt(100 / 99 * 0.25 / 100)

    assert smallest_detectable_difference(values_N) == pytest.approx(2.80158 * error, rel=1e-5)


def test_copies_of_an_image_say_nothing_new() -> None:
    """Each row five times in its cluster detects no more than each row once."""
    values_N = np.random.default_rng(6).random(50)

    once = smallest_detectable_difference(values_N)
    five = smallest_detectable_difference(
        np.repeat(values_N, 5), clusters_N=np.repeat(np.arange(50), 5)
    )

    assert five == pytest.approx(once)
    assert smallest_detectable_difference(np.array([1.0, np.nan])) is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"level": 1.0}, "level"), ({"resamples": 0}, "resamples"), ({"clusters_N": ["a"]}, "1 clus")],
)
def test_settings_that_mean_nothing_are_refused(arguments: dict[str, object], message: str) -> None:
    """A level of 1, no samples, and too few names of clusters."""
    with pytest.raises(UsageError, match=message):
        interval_of_mean(np.array([0.0, 0.5, 1.0]), **arguments)  # type: ignore[arg-type]


def test_metrics_of_other_lengths_are_refused() -> None:
    """Every metric has a value or NaN for each row."""
    with pytest.raises(UsageError, match="as many for each"):
        intervals_of_means({"one": np.zeros(2), "two": np.zeros(3)})
    with pytest.raises(UsageError, match="successes"):
        wilson_interval(3, 2)


def test_several_statistics_see_the_same_samples() -> None:
    """Each has the interval that it has alone; one row has none."""
    values_N = np.arange(20.0)

    def both(rows: IdArray) -> tuple[float, float]:
        return float(values_N[rows].mean()), float(values_N[rows].max())

    found = bootstrap_each(both, 20, resamples=100, seed=1)

    for place, interval in enumerate(found):
        assert interval == bootstrap(
            lambda rows, place=place: both(rows)[place], 20, resamples=100, seed=1
        )
    assert found[0] != found[1]
    assert [one.method for one in bootstrap_each(both, 1)] == ["none", "none"]
