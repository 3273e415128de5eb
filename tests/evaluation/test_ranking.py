"""Rules of evaluation.ranking.

# N = queries, M = gallery items, D = embedding dimension
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import UsageError
from evaluation.ranking import id_places, rank, relevant_ranks, score_rows

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


@given(SCORES, st.data())
def test_relevant_ranks_are_those_of_the_sorted_list(
    scores_M: np.ndarray, data: st.DataObject
) -> None:
    """Counting better items gives exactly the places that sorting gives, ties included."""
    count = len(scores_M)
    ids = data.draw(st.permutations([f"id{place:02}" for place in range(count)]))
    relevant = sorted(data.draw(st.sets(st.integers(0, count - 1))))

    order = rank(scores_M[None], ids)[0].tolist()
    expected = sorted(order.index(column) + 1 for column in relevant)

    assert relevant_ranks(scores_M, id_places(ids), relevant).tolist() == expected


def test_a_constant_scorer_is_no_better_than_its_ids() -> None:
    """Over many random ids, one relevant item of ten is first in about a tenth of the lists."""
    generator = np.random.default_rng(0)
    scores_M = np.zeros(10, np.float32)
    firsts = 0
    for _ in range(2000):
        ids = [f"{value:06}" for value in generator.permutation(10)]
        firsts += int(relevant_ranks(scores_M, id_places(ids), [3])[0] == 1)

    assert abs(firsts / 2000 - 0.1) < 0.03


def test_the_size_of_a_tile_changes_no_score() -> None:
    """One row at a time or all at once: the same bits, so the same ties."""
    generator = np.random.default_rng(1)
    queries_ND = unit(generator.standard_normal((50, 64)))
    gallery_MD = unit(generator.standard_normal((37, 64)))

    whole = list(score_rows(queries_ND, gallery_MD))
    by_row = list(score_rows(queries_ND, gallery_MD, tile_scores=1))
    by_seven = list(score_rows(queries_ND, gallery_MD, tile_scores=7 * 37))

    np.testing.assert_array_equal(whole, by_row)
    np.testing.assert_array_equal(whole, by_seven)
    np.testing.assert_allclose(whole, queries_ND @ gallery_MD.T, atol=1e-6)


def test_equal_gallery_items_tie_exactly() -> None:
    """The same vector at any place of the gallery has the same score to the last bit."""
    generator = np.random.default_rng(2)
    vector_D = unit(generator.standard_normal((1, 96)))
    gallery_MD = np.concatenate([unit(generator.standard_normal((101, 96))), vector_D])
    gallery_MD[[0, 17, 63, 64, 100]] = vector_D
    for scores_M in score_rows(unit(generator.standard_normal((20, 96))), gallery_MD):
        assert len(set(scores_M[[0, 17, 63, 64, 100, 101]].tolist())) == 1


def test_no_queries_and_no_gallery_give_no_scores() -> None:
    """Empty sides are no error."""
    some_ND, none_ND = np.ones((2, 3), np.float32), np.empty((0, 3), np.float32)

    assert list(score_rows(none_ND, some_ND)) == []
    assert [row.shape for row in score_rows(some_ND, none_ND)] == [(0,), (0,)]


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


def unit(vectors_ND: np.ndarray) -> np.ndarray:
    """Return rows of length 1 in float32."""
    return (vectors_ND / np.linalg.norm(vectors_ND, axis=1, keepdims=True)).astype(np.float32)
