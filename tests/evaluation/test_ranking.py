"""Rules of evaluation.ranking.

# N = queries, M = gallery items
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import UsageError
from evaluation.ranking import rank

steady = settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
"""The same examples each time, however slow the machine."""

SCORES = st.lists(st.sampled_from([-1.0, -0.5, 0.0, 0.25, 0.5, 1.0]), min_size=1, max_size=12).map(
    lambda values: np.array(values, np.float32)
)


def test_the_higher_score_comes_first() -> None:
    """Scores order; negative ones too."""
    scores_NM = np.array([[-0.5, 0.3, -0.1]], np.float32)

    assert rank(scores_NM, ["a", "b", "c"]).tolist() == [[1, 2, 0]]


def test_equal_scores_are_in_order_of_id() -> None:
    """The id decides, not the place in the gallery."""
    scores_NM = np.array([[0.5, 0.5, 0.5, 0.9]], np.float32)

    assert rank(scores_NM, ["c", "a", "b", "d"]).tolist() == [[3, 1, 2, 0]]


def test_scores_are_compared_in_float32() -> None:
    """0.50000001 and 0.5 are one float32 number, so the id decides."""
    scores_NM = np.array([[0.5, 0.50000001]])

    assert rank(scores_NM, ["a", "b"]).tolist() == [[0, 1]]


@steady
@given(SCORES, st.randoms())
def test_the_order_of_the_input_changes_nothing(scores_M: np.ndarray, random: object) -> None:
    """Shuffling a gallery shuffles nothing in the ranking."""
    ids = [f"id{place:02}" for place in range(len(scores_M))]
    shuffled = list(range(len(ids)))
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis gives a random.Random

    before = [ids[column] for column in rank(scores_M[None], ids)[0]]
    shuffled_ids = [ids[column] for column in shuffled]
    after = [shuffled_ids[column] for column in rank(scores_M[None, shuffled], shuffled_ids)[0]]

    assert before == after


@pytest.mark.parametrize(
    ("scores", "ids", "message"),
    [
        ([[0.1, 0.2]], ["a", "a"], "ids are repeated"),
        ([[0.1, 0.2]], ["a"], r"expected \(N, 1\)"),
        ([0.1, 0.2], ["a", "b"], r"expected \(N, 2\)"),
        ([[0.1, float("nan")]], ["a", "b"], "NaN"),
    ],
)
def test_what_cannot_be_ranked_is_refused(scores: list, ids: list[str], message: str) -> None:
    """Duplicates, wrong shapes and NaN are errors, never a silent order."""
    with pytest.raises(UsageError, match=message):
        rank(np.array(scores, np.float32), ids)
