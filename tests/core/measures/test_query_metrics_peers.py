"""All ranked metrics of 200 random queries beside trec_eval, scikit-learn and torchmetrics.

References get scores derived from ranks (all distinct and positive), so that their tie rules and
their treatment of negative scores, which differ, play no part.

# N = queries, K = items of a list
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from core.measures import metrics
from core.measures.judged_ranks import JudgedRanks
from core.measures.query_metrics import query_values

ITEMS = 50
KS = (1, 3, 5, 10, 20, 50)


@dataclass(frozen=True)
class Query:
    """One ranked list and its judgements."""

    order: list[int]
    """Items, best first; some lists are short."""
    grades: dict[int, int]
    """Grade of the relevant items, 1 to 3; none in some queries."""


def random_queries() -> list[Query]:
    """Return 200 queries over 50 items with 0 to 8 relevant ones, graded."""
    generator = np.random.default_rng(11)
    queries = []
    for _ in range(200):
        relevant = generator.choice(ITEMS, int(generator.integers(0, 9)), replace=False)
        grades = {int(item): int(generator.integers(1, 4)) for item in relevant}
        length = int(generator.integers(5, ITEMS + 1))
        queries.append(Query(generator.permutation(ITEMS)[:length].tolist(), grades))
    return queries


QUERIES = random_queries()


def judged_ranks() -> JudgedRanks:
    """Return the queries as ours are given."""
    ranks, grades, missed = [], [], []
    for query in QUERIES:
        found = [place for place, item in enumerate(query.order) if item in query.grades]
        ranks.append([place + 1 for place in found])
        grades.append([float(query.grades[query.order[place]]) for place in found])
        missed.append([float(g) for item, g in query.grades.items() if item not in query.order])
    return JudgedRanks.of_lists(ranks, grades_N=grades, missed_N=missed)


def test_two_hundred_graded_queries_agree_with_trec_eval() -> None:
    """P, recall, map, map_cut, ndcg, ndcg_cut, recip_rank, success and Rprec to 1e-9."""
    import pytrec_eval

    cuts = ",".join(map(str, KS))
    cut_names = {
        "P": "precision",
        "recall": "recall",
        "map_cut": "mean_average_precision",
        "ndcg_cut": "ndcg",
        "success": "hit",
    }
    whole = {
        "map": "mean_average_precision",
        "recip_rank": "mean_reciprocal_rank",
        "Rprec": "mean_r_precision",
        "ndcg": "ndcg",
    }
    judgements = {
        str(number): {f"d{item}": query.grades.get(item, 0) for item in range(ITEMS)}
        for number, query in enumerate(QUERIES)
    }
    run = {
        str(number): {f"d{item}": float(ITEMS - place) for place, item in enumerate(query.order)}
        for number, query in enumerate(QUERIES)
    }
    measures = {f"{name}.{cuts}" for name in cut_names} | set(whole)
    theirs = pytrec_eval.RelevanceEvaluator(judgements, measures).evaluate(run)
    values = query_values(judged_ranks(), KS)

    for number, query in enumerate(QUERIES):
        if not query.grades:
            assert np.isnan(values["ndcg"][number])
            continue
        ours = {
            f"{name}_{k}": values[f"{own}@{k}"][number]
            for name, own in cut_names.items()
            for k in KS
        }
        ours |= {name: values[own][number] for name, own in whole.items()}
        assert ours == pytest.approx(theirs[str(number)], abs=1e-9), number


def test_interpolated_precision_agrees_with_trec_eval() -> None:
    """At the eleven levels of recall, and their mean.

    Of 3 or 7 relevant items trec_eval takes a level for reached that is not quite: it rounds
    0.7 * 3 = 2.1 items down to 2.
    """
    import pytrec_eval

    levels = [tenth / 10 for tenth in range(11)]
    measures = {f"iprec_at_recall.{','.join(f'{level:.1f}' for level in levels)}", "11pt_avg"}
    judged = judged_ranks()
    for number, ranks in enumerate(judged.per_query()):
        relevant = int(judged.relevant_N[number])
        if relevant not in {1, 2, 4, 5, 6, 8}:
            continue
        run = {f"d{item}": float(ITEMS - place) for place, item in enumerate(QUERIES[number].order)}
        judgements = {f"d{item}": 1 for item in QUERIES[number].grades}
        theirs = pytrec_eval.RelevanceEvaluator({"q": judgements}, measures).evaluate({"q": run})
        ranks_R = np.array(ranks, np.int64)
        ours = {
            f"iprec_at_recall_{level:.2f}": metrics.interpolated_precision(
                ranks_R, level, relevant=relevant
            )
            for level in levels
        }
        ours["11pt_avg"] = metrics.eleven_point_precision(ranks_R, relevant=relevant)
        assert ours == pytest.approx(theirs["q"], abs=1e-9), number


def full_lists() -> list[tuple[np.ndarray, np.ndarray]]:
    """Return scores and grades over all items, for the lists that hold all of them."""
    lists = []
    for query in QUERIES:
        rest = [item for item in range(ITEMS) if item not in query.order]
        scores_K = np.zeros(ITEMS)
        scores_K[[*query.order, *rest]] = np.arange(ITEMS, 0, -1)
        grades_K = np.array([query.grades.get(item, 0) for item in range(ITEMS)])
        if grades_K.any():
            lists.append((scores_K, grades_K))
    return lists


def of_full_list(scores_K: np.ndarray, grades_K: np.ndarray) -> dict[str, float]:
    """Return our values of one list that holds every item."""
    order_K = np.argsort(-scores_K)
    ranks = np.flatnonzero(grades_K[order_K]) + 1
    judged = JudgedRanks.of_lists([ranks.tolist()], grades_N=[grades_K[order_K][ranks - 1]])
    return {name: float(column[0]) for name, column in query_values(judged, KS).items()}


def test_complete_lists_agree_with_scikit_learn() -> None:
    """AP and linear nDCG, whole and cut at ten."""
    from sklearn.metrics import average_precision_score, ndcg_score

    for scores_K, grades_K in full_lists()[:60]:
        ours = of_full_list(scores_K, grades_K)
        assert ours["mean_average_precision"] == pytest.approx(
            average_precision_score(grades_K > 0, scores_K), abs=1e-9
        )
        assert ours["ndcg"] == pytest.approx(ndcg_score([grades_K], [scores_K]), abs=1e-9)
        assert ours["ndcg@10"] == pytest.approx(ndcg_score([grades_K], [scores_K], k=10), abs=1e-9)


@pytest.mark.slow
def test_complete_lists_agree_with_torchmetrics_where_its_rules_are_ours() -> None:
    """P, R, hit, RR, R-precision, AP and nDCG of complete lists with scores above 0; not AP@k."""
    import torch
    from torchmetrics.functional import retrieval as theirs

    for scores_K, grades_K in full_lists()[:15]:
        ours = of_full_list(scores_K, grades_K)
        scores, grades = torch.tensor(scores_K, dtype=torch.float32), torch.tensor(grades_K)
        relevant = grades > 0
        expected = {
            "precision@5": theirs.retrieval_precision(scores, relevant, top_k=5),
            "recall@5": theirs.retrieval_recall(scores, relevant, top_k=5),
            "hit@5": theirs.retrieval_hit_rate(scores, relevant, top_k=5),
            "mean_reciprocal_rank": theirs.retrieval_reciprocal_rank(scores, relevant),
            "mean_r_precision": theirs.retrieval_r_precision(scores, relevant),
            "mean_average_precision": theirs.retrieval_average_precision(scores, relevant),
            "ndcg@10": theirs.retrieval_normalized_dcg(scores, grades, top_k=10),
        }
        assert {name: ours[name] for name in expected} == pytest.approx(
            {name: float(value) for name, value in expected.items()}, abs=1e-6
        )
