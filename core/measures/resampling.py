"""Drawing whole clusters of rows again and again: the bootstrap and sign flips, in blocks.

Rows that belong together (the captions of one image) are drawn together. Captions of one image
succeed and fail together, so drawing them one by one makes intervals too narrow.

# N = rows (queries or images), G = clusters, M = metrics, B = resamples
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import UsageError
from core.types import IdArray

_BLOCK_CELLS = 1 << 18
"""Cells (resamples times clusters) in memory at once: 2 MiB, which stay in the cache."""


@dataclass(frozen=True, slots=True)
class Clusters:
    """Which cluster each row is in."""

    of_row_N: IdArray
    """Number of the cluster, from 0."""
    count: int

    @property
    def single(self) -> bool:
        """Whether every cluster is one row."""
        return self.count == len(self.of_row_N)

    def sums(self, values_NM: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the sum of each column over the rows of each cluster, (G, M)."""
        columns = [
            np.bincount(self.of_row_N, weights=column_N, minlength=self.count)
            for column_N in values_NM.T
        ]
        return np.stack(columns, axis=1) if columns else np.empty((self.count, 0))


def clusters_of(
    clusters_N: Sequence[str] | Sequence[int] | IdArray | None, *, rows: int
) -> Clusters:
    """Number the clusters in order of their names; without names each row is its own.

    Raises:
        UsageError: not one name per row.
    """
    if clusters_N is None:
        return Clusters(of_row_N=np.arange(rows), count=rows)
    if len(clusters_N) != rows:
        raise UsageError(f"{len(clusters_N)} cluster names for {rows} rows: expected one per row")
    names, of_row_N = np.unique(np.asarray(clusters_N), return_inverse=True)
    return Clusters(of_row_N=of_row_N.astype(np.int64), count=len(names))


def resampled_means(
    values_NM: NDArray[np.float64], clusters: Clusters, *, resamples: int, seed: int
) -> NDArray[np.float64]:
    """Return the mean of each column in each of B bootstrap samples of clusters, (B, M).

    A NaN is a row without a value: it is in no mean. A sample without any value is NaN.
    Source: Davison, Hinkley 1997, Bootstrap Methods and their Application, section 3.8 (whole
    clusters with replacement).
    """
    known_NM = ~np.isnan(values_NM)
    sums_MG = np.ascontiguousarray(clusters.sums(np.where(known_NM, values_NM, 0.0)).T)
    # Mostly every row has every value: then one column of counts serves all metrics.
    counted_NM = known_NM[:, :1] if known_NM.all() else known_NM
    counts_MG = np.ascontiguousarray(clusters.sums(counted_NM.astype(np.float64)).T)
    parts = []
    for drawn_bG in _drawn_counts(clusters.count, resamples=resamples, seed=seed):
        sums_bM, rows_bM = _totals(drawn_bG, sums_MG), _totals(drawn_bG, counts_MG)
        mean_bM = np.full(sums_bM.shape, np.nan)
        np.divide(sums_bM, rows_bM, out=mean_bM, where=rows_bM > 0)
        parts.append(mean_bM)
    return np.concatenate(parts)


def resampled_rows(clusters: Clusters, *, resamples: int, seed: int) -> Iterator[IdArray]:
    """Yield the rows of each of B bootstrap samples of clusters, for statistics that are no mean.

    The clusters drawn are those of ``resampled_means``.
    """
    by_cluster_N = np.argsort(clusters.of_row_N, kind="stable")
    cluster_N = clusters.of_row_N[by_cluster_N]
    for drawn_bG in _drawn_counts(clusters.count, resamples=resamples, seed=seed):
        for drawn_G in drawn_bG:
            yield np.repeat(by_cluster_N, drawn_G[cluster_N].astype(np.int64))


def sign_flipped_sums(
    differences_NM: NDArray[np.float64], clusters: Clusters, *, resamples: int, seed: int
) -> NDArray[np.float64]:
    """Return the sums of each column with the sign of each cluster flipped at random, (B, M).

    Under the hypothesis that two systems are the same, each difference is as likely as its
    negative. Source: Fisher 1935, The Design of Experiments, section 21.
    """
    sums_MG = np.ascontiguousarray(clusters.sums(differences_NM).T)
    total_M = sums_MG.sum(axis=1)
    generator = np.random.default_rng(seed)
    parts = []
    for size in _block_sizes(clusters.count, resamples):
        packed = generator.integers(0, 256, size=(size, -(-clusters.count // 8)), dtype=np.uint8)
        kept_bG = np.unpackbits(packed, axis=1, count=clusters.count).astype(np.float64)
        parts.append(2.0 * _totals(kept_bG, sums_MG) - total_M)
    return np.concatenate(parts)


def _totals(times_bG: NDArray[np.float64], sums_MG: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the total of each column with each cluster taken so many times, (b, M).

    No matrix product: its bytes depend on the number of threads, and so few rows make threads wait
    for each other longer than they work.
    """
    totals_bM: NDArray[np.float64] = np.einsum("bg,mg->bm", times_bG, sums_MG)
    return totals_bM


def _drawn_counts(count: int, *, resamples: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """Yield blocks (b, G): how often each cluster is in each bootstrap sample."""
    generator = np.random.default_rng(seed)
    for size in _block_sizes(count, resamples):
        drawn_bG = generator.integers(count, size=(size, count))
        drawn_bG += np.arange(size)[:, None] * count
        flat = np.bincount(drawn_bG.ravel(), minlength=size * count)
        yield flat.reshape(size, count).astype(np.float64)


def _block_sizes(count: int, resamples: int) -> Iterator[int]:
    """Yield how many resamples are made at once."""
    most = max(1, _BLOCK_CELLS // max(1, count))
    for start in range(0, resamples, most):
        yield min(most, resamples - start)
