"""Rules of evaluation.confidence_fit: which hits are examples, and the line through them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from core.errors import UsageError
from encoders.confidence import reaches
from evaluation.confidence_fit import (
    HITS,
    Examples,
    fit_confidence,
    gather_examples,
    probabilities,
)

GENERATOR_SEED = 7


def world(count: int, *, weights: tuple[float, float, float]) -> Examples:
    """Return hits whose relevance is drawn from a known line."""
    generator = np.random.default_rng(GENERATOR_SEED)
    scores_E = generator.uniform(-0.2, 0.8, count)
    reaches_E = generator.uniform(0.0, 0.5, count)
    logits_E = weights[0] * scores_E + weights[1] * (scores_E - reaches_E) + weights[2]
    relevant_E = generator.random(count) < 1 / (1 + np.exp(-logits_E))
    return Examples(
        scores_E.astype(np.float32), reaches_E, relevant_E, np.arange(count, dtype=np.int64)
    )


def test_the_line_is_that_of_a_peer() -> None:
    """scikit-learn's logistic regression without a penalty, on the same two columns."""
    examples = world(4000, weights=(6.0, 13.0, -5.0))
    scores_E = examples.scores_E.astype(np.float64)
    peer = LogisticRegression(C=1e9, max_iter=5000, tol=1e-9).fit(
        np.column_stack([scores_E, scores_E - examples.reaches_E]), examples.relevant_E
    )

    line = fit_confidence(examples).line

    # The targets of Lin, Lin and Weng are a little inside 0 and 1.
    assert [line.score_weight, line.gap_weight] == pytest.approx(peer.coef_[0], rel=0.02)
    assert line.offset == pytest.approx(peer.intercept_[0], rel=0.02)


def test_the_confidence_is_calibrated_on_queries_it_has_not_seen() -> None:
    """Where the world is logistic, the cross-fitted error is that of chance."""
    fit = fit_confidence(world(8000, weights=(6.0, 13.0, -5.0)))

    assert fit.expected_error < 0.03
    assert (fit.queries, fit.hits) == (8000, 8000)


def test_a_column_that_would_count_against_a_hit_is_left_out() -> None:
    """The gap speaks against relevance here: the score alone remains, and the line still rises."""
    line = fit_confidence(world(4000, weights=(20.0, -6.0, -2.0))).line

    assert line.gap_weight == 0.0
    assert line.score_weight > 0.0


def test_scores_that_mean_the_opposite_are_refused() -> None:
    """Captions of other pictures, or a model that knows nothing of these."""
    with pytest.raises(UsageError, match="not more often relevant"):
        fit_confidence(world(2000, weights=(-9.0, -9.0, 0.0)))


def test_too_few_hits_of_either_kind_are_refused() -> None:
    """Thirty of both; the message tells how many there are."""
    examples = world(200, weights=(6.0, 13.0, -5.0))
    few = examples.part(~examples.relevant_E | (np.cumsum(examples.relevant_E) <= 29))

    with pytest.raises(UsageError, match=r"29 relevant .* needs 30 of both"):
        fit_confidence(few)


def test_examples_are_the_judged_first_hits_of_both_worlds() -> None:
    """Against loops: the first ten of all, and the first ten of those that are not relevant."""
    generator = np.random.default_rng(GENERATOR_SEED)
    queries_QD, pictures_ND = (
        rows / np.linalg.norm(rows, axis=1, keepdims=True)
        for rows in (generator.normal(size=(5, 4)), generator.normal(size=(40, 4)))
    )
    background_BD = pictures_ND[::3]
    judged_QN = generator.choice(np.array([-1, 0, 1], np.int8), (5, 40), p=[0.2, 0.6, 0.2])

    found = gather_examples(
        queries_QD, pictures_ND, lambda query: judged_QN[query], background_BD=background_BD
    )

    expected = naive(queries_QD @ pictures_ND.T, judged_QN)
    rows = zip(found.queries_E, found.scores_E, found.relevant_E, strict=True)
    assert sorted((int(q), round(float(s), 5), bool(r)) for q, s, r in rows) == sorted(expected)
    reaches_Q = reaches(queries_QD, background_BD)
    np.testing.assert_array_equal(found.reaches_E, reaches_Q[found.queries_E])


def naive(
    scores_QN: NDArray[np.float64], judged_QN: NDArray[np.int8]
) -> list[tuple[int, float, bool]]:
    """Return query, score and relevance of each example, one by one."""
    expected = []
    for query, (scores_N, judged_N) in enumerate(zip(scores_QN, judged_QN, strict=True)):
        order = sorted(range(len(scores_N)), key=lambda place: -scores_N[place])
        others = [place for place in order if judged_N[place] == 0]
        expected += [
            (query, round(float(scores_N[place]), 5), bool(judged_N[place] == 1))
            for place in [*order[:HITS], *others[:HITS]]
            if judged_N[place] != -1
        ]
    return expected


def test_the_confidence_of_examples_is_that_of_searches() -> None:
    """One formula for the fit and for the service."""
    examples = world(1000, weights=(6.0, 13.0, -5.0))
    line = fit_confidence(examples).line
    logit = (
        line.score_weight * float(examples.scores_E[0])
        + line.gap_weight * (float(examples.scores_E[0]) - examples.reaches_E[0])
        + line.offset
    )

    assert probabilities(line, examples)[0] == pytest.approx(1 / (1 + np.exp(-logit)))
