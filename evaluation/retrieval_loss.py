"""Model loss and index loss apart: what exact search would have found, and what was found.

# N = queries, K = places
"""

from __future__ import annotations

import numpy as np

from evaluation.estimates import Measurements, Metric, Statistics, Values, mean_metrics
from evaluation.searching import Ranking
from index.ann_recall import ann_recall

_ROUNDING = np.float32(1e-6)
"""Two searches may round the score of one item differently by so much."""


def overlap_values(exact: Ranking, served: Ranking, ks: tuple[int, ...]) -> dict[str, Values]:
    """Return ``ann_recall@k`` of each query: the share of the exact top k that was found.

    A hit that ties with the last exact one is as good as it.
    """
    pairs = list(zip(served.top_scores, exact.top_scores, strict=True))
    return {
        f"ann_recall@{k}": np.array(
            [
                ann_recall(
                    np.asarray(found[:k], np.float32), np.asarray(best[:k], np.float32) - _ROUNDING
                )
                for found, best in pairs
            ],
            np.float64,
        )
        for k in ks
    }


def index_loss(
    exact: Measurements, served: Measurements, statistics: Statistics
) -> dict[str, Metric]:
    """Return for each metric of both how much the index costs: exact minus served, paired."""
    shared = [name for name in served.values if name in exact.values]
    differences = Measurements(
        ids=exact.ids,
        clusters=exact.clusters,
        groups=exact.groups,
        values={name: exact.values[name] - served.values[name] for name in shared},
        texts={},
    )
    return mean_metrics(differences, statistics=statistics)
