"""A search that is scored as it stands: an index, or a whole running service.

Evaluation does not know who answers: the caller passes something that takes queries and returns
ranked ids, and what comes back is judged like the exact ranking.

# N = queries, K = places of one answer
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from core.errors import UsageError
from core.measures.judged_ranks import JudgedRanks
from core.pairs.image_file import ImageFile
from core.progress import ProgressFactory, silent
from core.types import FloatArray
from evaluation.retrieval_task import RetrievalTask


@dataclass(frozen=True, slots=True)
class Asked:
    """One query, in whatever form the search takes."""

    id: str
    text: str
    """The caption; empty where the query is an image."""
    image: ImageFile
    """The query, or the picture that the caption belongs to."""
    vector_D: FloatArray | None
    """Its embedding, where there is one."""


@dataclass(frozen=True, slots=True)
class Found:
    """One answer, best hit first."""

    ids_K: tuple[str, ...]
    scores_K: tuple[float, ...]
    latency_ms: float
    """As the caller saw it."""
    plan: str
    """How it was searched: ``exact``, or what the index calls its plan."""


class Search(Protocol):
    """Something that answers queries."""

    @property
    def name(self) -> str:
        """What is searched, for the report."""
        ...

    def known(self, ids: Sequence[str]) -> set[str]:
        """Return which of the ids are in the gallery."""
        ...

    def __call__(self, asked: Asked, *, k: int) -> Found:
        """Return up to ``k`` hits."""
        ...


@dataclass(frozen=True, slots=True)
class Ranking:
    """Where the relevant items of N queries came, and the head of each list."""

    judged: JudgedRanks
    top_ids: tuple[tuple[str, ...], ...]
    top_scores: tuple[tuple[float, ...], ...]
    latencies_ms: tuple[float, ...] = ()
    """Of each query, where somebody was asked."""
    plans: tuple[str, ...] = ()
    """The same."""
    tied: Mapping[int, int] = field(default_factory=dict)
    """How many queries are cut between equal scores at k, where that is known."""


def ask(
    task: RetrievalTask, search: Search, *, depth: int, progress: ProgressFactory = silent
) -> Ranking:
    """Ask every query that has something relevant, one after the other, and judge the answers.

    Items beyond ``depth`` count as missed, so only metrics with a cut-off up to it are exact.

    Raises:
        UsageError: an answer holds an id twice.
    """
    columns = {name: column for column, name in enumerate(task.gallery_ids)}
    answers: list[Found] = []
    with progress("search", total=len(task.judged), unit="queries") as shown:
        for place in task.judged:
            asked = _asked(task, place)
            # The query itself may be among the hits: ask for one more and drop it.
            own = task.queries.ids[place] if task.excluded_N[place] is not None else None
            found = search(asked, k=depth + (own is not None))
            answers.append(_without(found, own, depth))
            shown.advance()
    ranks, grades, missed = [], [], []
    for place, found in zip(task.judged, answers, strict=True):
        wanted = dict(zip(task.relevant_N[place], task.grades_N[place], strict=True))
        hits = [
            (rank, wanted.pop(columns[name]))
            for rank, name in enumerate(found.ids_K, start=1)
            if columns.get(name) in wanted
        ]
        ranks.append([rank for rank, _ in hits])
        grades.append([float(grade) for _, grade in hits])
        missed.append([float(grade) for grade in wanted.values()])
    return Ranking(
        judged=JudgedRanks.of_lists(ranks, grades_N=grades, missed_N=missed),
        top_ids=tuple(found.ids_K for found in answers),
        top_scores=tuple(found.scores_K for found in answers),
        latencies_ms=tuple(found.latency_ms for found in answers),
        plans=tuple(found.plan for found in answers),
    )


def _asked(task: RetrievalTask, place: int) -> Asked:
    queries = task.queries
    vectors_ND = queries.vectors_ND
    return Asked(
        id=queries.ids[place],
        text=queries.texts[place],
        image=queries.pairs[place].image,
        vector_D=None if vectors_ND is None else np.asarray(vectors_ND[place]),
    )


def _without(found: Found, own: str | None, depth: int) -> Found:
    if len(set(found.ids_K)) != len(found.ids_K):
        raise UsageError(f"the answer holds an id twice: {list(found.ids_K)}; it is no ranking")
    kept = [
        (name, score)
        for name, score in zip(found.ids_K, found.scores_K, strict=True)
        if name != own
    ][:depth]
    return Found(
        tuple(name for name, _ in kept),
        tuple(score for _, score in kept),
        found.latency_ms,
        found.plan,
    )
