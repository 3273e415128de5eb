"""Our metrics beside trec_eval's and scikit-learn's, where their rules are ours.

References get scores derived from ranks (all distinct and positive), so that their tie rules and
their treatment of negative scores, which differ, play no part.
"""

from __future__ import annotations

import numpy as np
import pytest

from core.measures import metrics

DOCUMENTS = 50
CUT_OFFS = (1, 3, 5, 10, 20, 50)


def random_queries(count: int) -> list[tuple[list[bool], int]]:
    """Return judged lists, and how many relevant items there are in all: some lists miss some."""
    generator = np.random.default_rng(4)
    queries = []
    for _ in range(count):
        relevant = generator.choice(DOCUMENTS, size=int(generator.integers(1, 9)), replace=False)
        length = int(generator.integers(5, DOCUMENTS + 1))
        order = generator.permutation(DOCUMENTS)[:length]
        queries.append(([bool(item) for item in np.isin(order, relevant)], len(relevant)))
    return queries


def test_two_hundred_queries_agree_with_trec_eval() -> None:
    """P, recall, map, map_cut, recip_rank, success and Rprec to 1e-9."""
    import pytrec_eval

    measures = {
        f"{name}.{','.join(map(str, CUT_OFFS))}" for name in ("P", "recall", "map_cut", "success")
    } | {"map", "recip_rank", "Rprec"}
    for number, (hits, relevant) in enumerate(random_queries(200)):
        run = {f"d{place}": float(len(hits) - place) for place in range(len(hits))}
        judged = {f"d{place}": int(hit) for place, hit in enumerate(hits)}
        judged |= {f"missed{place}": 1 for place in range(relevant - sum(hits))}
        theirs = pytrec_eval.RelevanceEvaluator({"q": judged}, measures).evaluate({"q": run})["q"]

        assert ours(hits, relevant) == pytest.approx(theirs, abs=1e-9), number


def ours(hits: list[bool], relevant: int) -> dict[str, float]:
    """Return our values under trec_eval's names."""
    ranks_R = metrics.ranks_of(hits)
    values = {
        "map": metrics.average_precision(ranks_R, relevant=relevant),
        "recip_rank": metrics.reciprocal_rank(ranks_R),
        "Rprec": metrics.r_precision(ranks_R, relevant=relevant),
    }
    for k in CUT_OFFS:
        values[f"P_{k}"] = metrics.precision_at_k(ranks_R, k)
        values[f"recall_{k}"] = metrics.recall_at_k(ranks_R, k, relevant=relevant)
        values[f"success_{k}"] = metrics.hit_at_k(ranks_R, k)
        values[f"map_cut_{k}"] = metrics.average_precision_at_k(ranks_R, k, relevant=relevant)
    return values


def test_average_precision_agrees_with_scikit_learn() -> None:
    """Complete lists with distinct scores: the only case in which its rule is ours."""
    from sklearn.metrics import average_precision_score

    for hits, _ in random_queries(50):
        if any(hits):
            scores = np.arange(len(hits), 0, -1)
            expected = average_precision_score(hits, scores)
            assert metrics.average_precision(metrics.ranks_of(hits)) == pytest.approx(expected)
