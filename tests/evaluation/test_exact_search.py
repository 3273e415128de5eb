"""Rules of evaluation.exact_search: exactly the order of evaluation.ranking, in little memory.

# N = queries, M = gallery items, D = embedding dimension
"""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import UsageError
from core.types import FloatArray
from evaluation.exact_scores import exact_scores, quick_error
from evaluation.exact_search import exact_ranks
from evaluation.ranking import rank

steady = settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
"""The same examples each time, however slow the machine."""


def unit(generator: np.random.Generator, count: int, dim: int) -> FloatArray:
    """Return random unit vectors."""
    rows = generator.standard_normal((count, dim)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def all_scores(queries_ND: FloatArray, gallery_MD: FloatArray) -> FloatArray:
    """Return every score, summed in float64 and rounded once."""
    rows, columns = np.indices((len(queries_ND), len(gallery_MD)))
    scores = exact_scores(queries_ND, gallery_MD, rows.ravel(), columns.ravel())
    return scores.reshape(rows.shape)


@steady
@given(st.integers(0, 10_000), st.sampled_from(["spread", "repeated", "signs", "near"]))
def test_ranks_and_best_items_are_those_of_the_sorted_list(seed: int, kind: str) -> None:
    """Also with equal items, scores that tie, and items that differ in the last bits only."""
    generator = np.random.default_rng(seed)
    count, size, dim = (int(generator.integers(*bounds)) for bounds in ((1, 9), (2, 60), (1, 9)))
    queries_ND, gallery_MD = unit(generator, count, dim), unit(generator, size, dim)
    if kind == "repeated":
        gallery_MD = gallery_MD[generator.integers(0, size, size)]
    if kind == "signs":
        queries_ND, gallery_MD = np.sign(queries_ND), np.sign(gallery_MD)
    if kind == "near":
        gallery_MD = gallery_MD[:1] + unit(generator, size, dim) * np.float32(1e-7)
    ids = [f"id{place:03}" for place in generator.permutation(size)]
    relevant = [
        generator.choice(size, int(generator.integers(0, min(size, 20))), replace=False).tolist()
        for _ in range(count)
    ]

    found = exact_ranks(
        queries_ND, gallery_MD, ids, relevant, top=5, tile_scores=int(generator.integers(1, 99))
    )

    order_NM = rank(all_scores(queries_ND, gallery_MD), ids)
    place_NM = np.argsort(order_NM, axis=1)
    expected = [
        sorted((place_NM[row, columns] + 1).tolist()) for row, columns in enumerate(relevant)
    ]
    assert found.judged.per_query() == expected
    assert found.top_NK.tolist() == order_NM[:, :5].tolist()


def test_the_size_of_a_tile_changes_nothing() -> None:
    """Every array is the same to the last bit, whatever is in memory at once."""
    generator = np.random.default_rng(1)
    queries_ND, gallery_MD = unit(generator, 30, 64), unit(generator, 300, 64)
    ids = [str(place) for place in range(300)]
    relevant = [[place, 299 - place] for place in range(30)]

    first, second = (
        exact_ranks(queries_ND, gallery_MD, ids, relevant, top=9, tile_scores=size)
        for size in (7, 1 << 20)
    )

    assert first.judged.per_query() == second.judged.per_query()
    assert first.top_NK.tobytes() == second.top_NK.tobytes()
    assert first.top_scores_NK.tobytes() == second.top_scores_NK.tobytes()


def test_equal_items_tie_exactly_wherever_they_lie() -> None:
    """The same vector at any place of the gallery has the same score to the last bit."""
    generator = np.random.default_rng(2)
    gallery_MD = unit(generator, 102, 96)
    same = [0, 17, 63, 64, 100, 101]
    gallery_MD[same] = gallery_MD[0]
    ids = [f"{place:03}" for place in range(102)]

    found = exact_ranks(unit(generator, 20, 96), gallery_MD, ids, [same] * 20)

    for ranks in found.judged.per_query():
        assert ranks == list(range(ranks[0], ranks[0] + 6))


def test_a_monotone_map_of_the_scores_changes_no_rank() -> None:
    """Queries of four times the length have four times the scores, and the same lists."""
    generator = np.random.default_rng(5)
    queries_ND, gallery_MD = unit(generator, 10, 16), unit(generator, 50, 16)
    ids, relevant = [str(place) for place in range(50)], [[place] for place in range(10)]

    first, second = (
        exact_ranks(queries_ND * np.float32(scale), gallery_MD, ids, relevant, top=5)
        for scale in (1, 4)
    )

    assert first.judged.per_query() == second.judged.per_query()
    assert first.top_NK.tolist() == second.top_NK.tolist()


def test_what_is_excluded_is_no_answer_and_not_relevant() -> None:
    """A query that is in the gallery is dropped before anything is counted."""
    gallery_MD = np.array([[1, 0], [0.9, 0.1], [0, 1]], np.float32)

    found = exact_ranks(
        gallery_MD, gallery_MD, ["a", "b", "c"], [[0, 1], [0], [2]],
        excluded_N=[[0], [1], [2]], top=3,
    )  # fmt: skip

    assert found.judged.per_query() == [[1], [1], []]
    assert found.judged.relevant_N.tolist() == [1, 1, 0]
    assert found.top_NK.tolist() == [[1, 2, -1], [0, 2, -1], [1, 0, -1]]
    assert np.isneginf(found.top_scores_NK[:, 2]).all()


def test_grades_stay_with_their_items() -> None:
    """The grade of the item that came first is the first, in whatever order they were given."""
    gallery_MD = np.array([[0.1], [0.9], [0.5]], np.float32)

    found = exact_ranks(
        np.ones((1, 1), np.float32), gallery_MD, ["a", "b", "c"], [[0, 1]], grades_N=[[3.0, 1.0]]
    )

    assert found.judged.ranks_T.tolist() == [1, 3]
    assert found.judged.grades_T.tolist() == [1.0, 3.0]


def test_queries_that_are_cut_between_equal_scores_are_counted() -> None:
    """Of two queries one has a tie at the second place; the id decides there."""
    gallery_MD = np.array([[0.9, 0.9], [0.5, 0.5], [0.5, 0.1]], np.float32)
    queries_ND = np.eye(2, dtype=np.float32)

    found = exact_ranks(queries_ND, gallery_MD, ["a", "b", "c"], [[1], [1]], top=3)

    assert (found.tied_at_k(1), found.tied_at_k(2)) == (0, 1)
    with pytest.raises(UsageError, match="keep k"):
        found.tied_at_k(3)


def test_a_constant_scorer_gets_what_chance_gives() -> None:
    """All scores are equal and ids are random: hit@1 is R / N on average, not 1."""
    generator = np.random.default_rng(2)
    queries_ND, gallery_MD = np.ones((400, 2), np.float32), np.ones((20, 2), np.float32)
    hits = []
    for _ in range(5):
        ids = [str(place) for place in generator.permutation(20)]
        relevant = [generator.choice(20, 4, replace=False).tolist() for _ in range(400)]
        judged = exact_ranks(queries_ND, gallery_MD, ids, relevant).judged
        hits += [ranks[0] == 1 for ranks in judged.per_query()]

    assert np.mean(hits) == pytest.approx(4 / 20, abs=0.05)


def test_cosines_below_zero_are_kept() -> None:
    """Scores only order; an item of score -0.9 has its rank."""
    gallery_MD = np.array([[-0.1], [-0.9], [-0.5]], np.float32)

    found = exact_ranks(np.ones((1, 1), np.float32), gallery_MD, ["a", "b", "c"], [[1, 0]], top=3)

    assert found.judged.per_query() == [[1, 3]]
    assert found.top_NK.tolist() == [[0, 2, 1]]


def test_k_beyond_the_gallery_is_capped() -> None:
    """Of two items no five can be given."""
    rows = np.eye(2, dtype=np.float32)

    assert exact_ranks(rows, rows, ["a", "b"], [[0], [1]], top=5).top_NK.shape == (2, 2)


def test_a_gallery_of_nothing_has_no_ranks() -> None:
    """No items and no queries are both fine."""
    nothing, some = np.empty((0, 3), np.float32), np.ones((2, 3), np.float32)

    assert exact_ranks(some, nothing, [], [[], []], top=3).top_NK.shape == (2, 0)
    assert exact_ranks(nothing, some, ["a", "b"], []).judged.queries == 0


def test_memory_is_that_of_a_tile_and_not_of_all_scores() -> None:
    """2000 queries by 4000 items are 32 MB of scores; a tile of 0.26 MB is enough."""
    generator = np.random.default_rng(3)
    queries_ND, gallery_MD = unit(generator, 2000, 8), unit(generator, 4000, 8)
    ids = [str(place) for place in range(4000)]
    relevant = [[place] for place in range(2000)]

    tracemalloc.start()
    try:
        exact_ranks(queries_ND, gallery_MD, ids, relevant, top=5, tile_scores=1 << 16)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak_bytes < 8_000_000


def test_quick_scores_are_within_the_bound() -> None:
    """Also where a long sum loses digits: the product of large norms."""
    generator = np.random.default_rng(4)
    queries_ND, gallery_MD = unit(generator, 20, 700) * 30, unit(generator, 50, 700) * 7

    quick_NM = (queries_ND @ gallery_MD.T).astype(np.float64)
    error = np.abs(quick_NM - all_scores(queries_ND, gallery_MD)).max()

    assert 0 < error < quick_error(queries_ND, gallery_MD)


@pytest.mark.parametrize(
    ("ids", "relevant", "message"),
    [
        (["a", "a"], [[0]], "repeated"),
        (["a"], [[0]], "1 ids for 2"),
        (["a", "b"], [[2]], "outside"),
        (["a", "b"], [[1, 1]], "twice"),
        (["a", "b"], [[0], [1]], "2 lists for 1"),
    ],
)
def test_what_does_not_fit_is_refused(
    ids: list[str], relevant: list[list[int]], message: str
) -> None:
    """Ids and relevant items have to be those of the gallery."""
    gallery_MD = np.eye(2, dtype=np.float32)

    with pytest.raises(UsageError, match=message):
        exact_ranks(gallery_MD[:1], gallery_MD, ids, relevant)


def test_an_embedding_that_is_not_finite_is_refused_by_its_number() -> None:
    """NaN is not comparable: no rank would be right."""
    gallery_MD = np.array([[1, 0], [np.nan, 0]], np.float32)

    with pytest.raises(UsageError, match="gallery embedding 1 is not finite"):
        exact_ranks(gallery_MD[:1], gallery_MD, ["a", "b"], [[0]])


def test_shapes_that_do_not_fit_are_refused() -> None:
    """Queries and gallery are of one dimension."""
    with pytest.raises(UsageError, match="expected"):
        exact_ranks(np.ones((1, 2), np.float32), np.ones((1, 3), np.float32), ["a"], [[0]])
