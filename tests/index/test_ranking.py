"""Rules of order and pages, against brute force."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import QueryError
from core.types import FloatArray
from index.collection import Collection
from index.filters import Filter, parse_filter
from tests.index.builders import DIM, new_item, open_collection, random_units, unit

AXES = [(1, 0, 0, 0), (0, 1, 0, 0), (1, 1, 0, 0), (1, 1, 1, 0), (-1, 0, 0, 0), (1, 1, 1, 1)]


def brute_force(vectors: dict[str, FloatArray], query_D: FloatArray) -> list[tuple[str, float]]:
    """Return (id, score) in the promised order."""
    scores = {
        name: float(np.float32(np.sum(vector_D.astype(float) * query_D.astype(float))))
        for name, vector_D in vectors.items()
    }
    return sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))


def pages(
    collection: Collection, query_D: FloatArray, sizes: list[int], filter: Filter | None = None
) -> list[tuple[str, float]]:
    """Read a whole result in pages of the given sizes, the last size repeated."""
    seen: list[tuple[str, float]] = []
    cursor, page = None, 0
    while True:
        k = sizes[min(page, len(sizes) - 1)]
        found = collection.search(query_D, k=k, cursor=cursor, filter=filter)
        seen += [(hit.id, hit.score) for hit in found.hits]
        assert len(found.hits) == k or found.cursor is None
        cursor, page = found.cursor, page + 1
        if cursor is None:
            return seen


@pytest.fixture(scope="module")
def tied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collection]:
    """Yield a collection of 600 items in six directions: hundreds of exact ties."""
    rng = np.random.default_rng(0)
    names = [f"{number:03}" for number in rng.permutation(600)]
    with open_collection(tmp_path_factory.mktemp("tied")) as opened:
        opened.upsert(
            [
                new_item(name, unit(*AXES[int(name) % 6]), metadata={"even": int(name) % 2 == 0})
                for name in names
            ]
        )
        yield opened


def vectors_of_tied(*, even: bool = False) -> dict[str, FloatArray]:
    """Return the vectors of the items in ``tied``."""
    step = 2 if even else 1
    return {f"{n:03}": unit(*AXES[n % 6]) for n in range(0, 600, step)}


@settings(deadline=None, max_examples=40)
@given(
    sizes=st.lists(st.integers(1, 250), min_size=1, max_size=4).filter(lambda s: s[-1] > 15),
    query=st.sampled_from([(1, 0, 0, 0), (1, 2, 0, 0), (0, 0, 0, 1), (-1, -1, 0, 0)]),
    even=st.booleans(),
)
def test_pages_of_any_size_are_the_brute_force_order(
    tied: Collection, sizes: list[int], query: tuple[float, ...], *, even: bool
) -> None:
    """Property: with ties everywhere, pages join to the whole order without gap or repeat."""
    chosen = parse_filter({"even": True}) if even else None

    found = pages(tied, unit(*query), sizes, chosen)

    assert found == brute_force(vectors_of_tied(even=even), unit(*query))


@pytest.mark.parametrize("k", [1, 2, 99, 100, 101, 400, 1000])
def test_a_short_answer_is_the_start_of_a_long_one(tied: Collection, k: int) -> None:
    """The first k hits are the same whatever k is, scores included."""
    expected = brute_force(vectors_of_tied(), unit(3, 1, 2, 0))

    found = tied.search(unit(3, 1, 2, 0), k=k)

    assert [(hit.id, hit.score) for hit in found.hits] == expected[:k]


def test_thousands_of_ties_are_all_in_order(tmp_path: Path) -> None:
    """Equal items beyond every candidate list still come in order of id."""
    with open_collection(tmp_path) as collection:
        collection.upsert([new_item(f"{n:04}") for n in range(3000)])

        found = pages(collection, unit(1, 0, 0, 0), [700])

    assert [name for name, _ in found] == [f"{n:04}" for n in range(3000)]


def test_random_vectors_agree_with_brute_force(tmp_path: Path) -> None:
    """Scores that nearly tie are ordered by their exact values."""
    vectors_ND = random_units(1500, DIM, seed=1)
    vectors = {f"{n:04}": vector_D for n, vector_D in enumerate(vectors_ND)}
    with open_collection(tmp_path) as collection:
        collection.upsert([new_item(name, vector_D) for name, vector_D in vectors.items()])
        for seed in range(5):
            query_D = random_units(1, DIM, seed=100 + seed)[0]

            found = pages(collection, query_D, [40, 400])

            assert found == brute_force(vectors, query_D)


def test_a_cursor_is_stable_while_others_write(tied: Collection, tmp_path: Path) -> None:
    """What stays is seen exactly once, whatever is added and deleted between pages."""
    with open_collection(tmp_path) as collection:
        collection.upsert([new_item(f"{n:03}", unit(1, n % 3, 0, 0)) for n in range(90)])
        seen: list[str] = []
        cursor, turn = None, 0
        while True:
            found = collection.search(unit(1, 0, 0, 0), k=10, cursor=cursor)
            seen += [hit.id for hit in found.hits]
            cursor = found.cursor
            if cursor is None:
                break
            collection.upsert([new_item(f"new{turn}", unit(1, turn % 3, 0, 0))])
            collection.delete([seen[0] if turn == 0 else f"{89 - turn:03}"])
            turn += 1

    stayed = [name for name in seen if not name.startswith("new")]
    assert len(seen) == len(set(seen))
    assert set(stayed) >= {f"{n:03}" for n in range(90 - turn)} - {seen[0]}


def test_a_cursor_of_another_query_is_refused(tied: Collection) -> None:
    """Vector, filter and mode all belong to a cursor; k does not."""
    cursor = tied.search(unit(1, 0, 0, 0), k=5).cursor

    assert len(tied.search(unit(1, 0, 0, 0), k=7, cursor=cursor).hits) == 7
    with pytest.raises(QueryError, match="another query"):
        tied.search(unit(0, 1, 0, 0), k=5, cursor=cursor)
    with pytest.raises(QueryError, match="another query"):
        tied.search(unit(1, 0, 0, 0), k=5, cursor=cursor, filter=parse_filter({"even": True}))


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["upsert", "upsert", "update", "delete", "delete_where", "reopen", "snap"]),
        st.lists(st.integers(0, 12), min_size=1, max_size=5),
        st.integers(0, 5),
    ),
    max_size=25,
)


@settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(operations=OPERATIONS)
def test_random_operations_leave_what_a_dict_would_hold(
    tmp_path_factory: pytest.TempPathFactory, operations: list[tuple[str, list[int], int]]
) -> None:
    """Property: after any operations, restarts included, search and scroll equal the model."""
    folder = tmp_path_factory.mktemp("operations")
    model: dict[str, int] = {}
    collection = open_collection(folder)
    try:
        for kind, numbers, axis in operations:
            names = [f"i{number}" for number in numbers]
            if kind == "upsert":
                collection.upsert(
                    [
                        new_item(name, unit(*AXES[axis]), digest=str(axis), metadata={"axis": axis})
                        for name in names
                    ]
                )
                model.update(dict.fromkeys(names, axis))
            elif kind == "update" and names[0] in model:
                collection.update(names[0], caption=f"caption {axis}")
            elif kind == "delete":
                assert collection.delete(names) == len(set(names) & model.keys())
                model = {name: held for name, held in model.items() if name not in names}
            elif kind == "delete_where":
                collection.delete_where(parse_filter({"axis": axis}))
                model = {name: held for name, held in model.items() if held != axis}
            elif kind == "snap":
                collection.snapshot()
            elif kind == "reopen":
                collection.close()
                collection = open_collection(folder)
        expected = brute_force(
            {name: unit(*AXES[axis]) for name, axis in model.items()}, unit(1, 2, 0, 0)
        )
        assert pages(collection, unit(1, 2, 0, 0), [3]) == expected
        assert [item.id for item in collection.scroll().items] == sorted(model)
        assert collection.count() == len(model)
    finally:
        collection.close()
