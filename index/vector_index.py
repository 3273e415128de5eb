"""The backend contract: what a collection asks of a vector index, FAISS or another.

# N = rows, Q = queries, D = embedding dimension, K = candidates of one query

An index knows row ids (64-bit, never reused) and vectors, nothing else. The collection's store of
record knows everything; an index can always be filled again from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from core.types import FloatArray, IdArray

Effort = Literal["fast", "balanced", "exact"]
"""How hard an approximate index should try; an exact one ignores it."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an index can and cannot do; nothing is emulated silently."""

    exact: bool
    """Whether a search looks at every allowed row."""
    snapshots: bool
    """Whether ``snapshot`` and ``restore`` work."""
    read_your_writes: bool
    """Whether a search that begins after ``upsert`` returned sees it."""
    most_candidates: int
    """Largest ``count`` that ``search`` takes."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """The best rows for one query, and how far the answer can be trusted."""

    row_ids_K: IdArray
    scores_K: FloatArray
    """Cosines from :func:`exact_scores`: the same for a row whatever else was asked."""
    floor: float
    """Every row whose score is above ``floor`` is among the candidates (minus infinity: all), as
    far as the plan finds them. Asking for more candidates lowers it and changes nothing above."""
    unknown: int = 0
    """How many of the allowed row ids the index does not hold."""
    plan: str = "exact"
    """How they were found."""


class VectorIndex(Protocol):
    """A searchable set of (row id, unit vector). Safe for use by several threads."""

    @property
    def capabilities(self) -> Capabilities:
        """What this index can do."""
        ...

    def upsert(self, row_ids_N: IdArray, vectors_ND: FloatArray) -> None:
        """Store rows; a row id that is known gets the new vector."""
        ...

    def delete(self, row_ids_N: IdArray) -> None:
        """Forget rows; unknown row ids are no error."""
        ...

    def search(
        self,
        queries_QD: FloatArray,
        *,
        count: int,
        allowed_N: IdArray | None = None,
        effort: Effort = "balanced",
    ) -> list[Candidates]:
        """Return about ``count`` best rows (more or fewer) for each query, unordered.

        ``allowed_N`` limits the search to these rows; ``None`` means all. Where fewer than
        ``count`` rows are above ``floor``, asking for more finds more, as long as there are any.
        """
        ...

    def count(self) -> int:
        """Return the number of rows."""
        ...

    def row_ids(self) -> IdArray:
        """Return every row id, unordered."""
        ...

    def snapshot(self, path: Path) -> None:
        """Write all rows to a new file at ``path``.

        Raises:
            StorageError: the file cannot be written.
        """
        ...

    def restore(self, path: Path) -> None:
        """Replace all rows by those of a file that was verified against its digest.

        Raises:
            StorageError: the file holds something else.
        """
        ...

    def close(self) -> None:
        """Release the memory or connection."""
        ...
