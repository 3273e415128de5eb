"""The live index of a collection: kept equal to the store of record.

# N = rows, D = embedding dimension
"""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from core.timing import timed
from core.types import FloatArray, IdArray
from index.changes import Outcome
from index.faults import reach
from index.filters import Filter, filter_json
from index.remembered_rows import RememberedRows
from index.schema import connect_reader, storage_errors
from index.store import StoreReader
from index.vector_index import Candidates, VectorIndex

logger = logging.getLogger(__name__)


class IndexLagsError(Exception):
    """The index is behind (or ahead of) the database: look again when it has caught up."""


class LiveIndex:
    """A vector index and the rows that it must not hold because their vector is damaged."""

    def __init__(self, index: VectorIndex, store: StoreReader, *, dim: int) -> None:
        """Take over an index, filled or empty; call ``sync`` before use."""
        self.index = index
        self.damaged: dict[int, str] = {}
        """Quarantined rows: row id to item id."""
        self._store = store
        self._dim = dim
        self._remembered = RememberedRows()
        self.stale = False
        """Whether applying a change failed: ``sync`` mends it."""

    def sync(self) -> None:
        """Load the rows that the index lacks, then forget those that the store has no more.

        In this order no search in between misses an item that is only being replaced. The caller
        sees to it that the store stands still: no write is applied, or its reads are frozen.
        """
        self._remembered.forget()
        live_N, held_N = self._store.row_ids(), self.index.row_ids()
        if self.damaged:
            live = set(live_N.tolist())
            self.damaged = {row: name for row, name in self.damaged.items() if row in live}
        missing_N = np.setdiff1d(live_N, held_N, assume_unique=True)
        missing_N = np.setdiff1d(missing_N, self._damaged_rows(), assume_unique=True)
        for block in self._store.vectors(missing_N, dim=self._dim):
            self.index.upsert(block.row_ids_N, block.vectors_ND)
            self._quarantine(block.damaged)
        if len(missing_N):
            # A damaged key: the row is counted, but cannot be looked up.
            found_N = np.concatenate([self.index.row_ids(), self._damaged_rows()])
            lost_N = np.setdiff1d(missing_N, found_N)
            self._quarantine([(row_id, f"row {row_id}") for row_id in lost_N.tolist()])
        # Rows that were remembered meanwhile do not know what was quarantined.
        self._remembered.forget()
        self.index.delete(np.setdiff1d(held_N, live_N, assume_unique=True))
        self.stale = False

    def publish(self, outcomes: Sequence[Outcome[Any]]) -> None:
        """Apply committed changes; after a failure the next search loads them from the store."""
        added = [row for outcome in outcomes for row in outcome.added]
        removed = [row for outcome in outcomes for row in outcome.removed]
        self._remembered.forget()
        try:
            reach("commit:done")
            if added:
                row_ids_N = np.array([row_id for row_id, _ in added], np.int64)
                self.index.upsert(row_ids_N, np.stack([vector_D for _, vector_D in added]))
            if removed:
                self.index.delete(np.array(removed, np.int64))
                gone = set(removed)
                self.damaged = {row: name for row, name in self.damaged.items() if row not in gone}
        except Exception:
            # The commit stands: failing the request now would report a loss that did not happen.
            logger.exception("index fell behind the store")
            self.stale = True

    def allowed(self, filter: Filter | None) -> IdArray | None:
        """Return the rows that a search may return, ascending; ``None`` for all."""
        if filter is None:
            return None
        # As text: Python takes true, 1 and 1.0 for equal, which a filter does not.
        text = json.dumps(filter_json(filter))
        return self._remembered.get(text, lambda: self._read_allowed(filter))

    def _read_allowed(self, filter: Filter) -> IdArray:
        with timed("filter"):
            rows_N = self._store.row_ids(self._store.condition(filter))
        return np.setdiff1d(rows_N, self._damaged_rows()) if self.damaged else rows_N

    def candidates(
        self, query_D: FloatArray, *, count: int, allowed_N: IdArray | None
    ) -> Candidates:
        """Ask the index.

        Raises:
            IndexLagsError: it does not hold all allowed rows yet, or no longer.
        """
        with timed("scan"):
            found = self.index.search(query_D[np.newaxis], count=count, allowed_N=allowed_N)[0]
        if found.unknown:
            raise IndexLagsError
        return found

    def _damaged_rows(self) -> IdArray:
        return np.array(sorted(self.damaged), np.int64)

    def _quarantine(self, damaged: Sequence[tuple[int, str]]) -> None:
        for row_id, name in damaged:
            self.damaged[row_id] = name
            logger.error("damaged vector quarantined", extra={"item": name, "row_id": row_id})


class ChangeWatch:
    """Tells whether another process has written since the last look."""

    def __init__(self, folder: Path) -> None:
        """Remember the present version."""
        self._folder = folder
        self._connection: sqlite3.Connection = connect_reader(folder)
        self._lock = threading.Lock()
        self._version = self._read()

    def changed(self) -> bool:
        """Return whether the database changed since the last call."""
        with self._lock:
            before, self._version = self._version, self._read()
            return before != self._version

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _read(self) -> int:
        with storage_errors(self._folder):
            return int(self._connection.execute("PRAGMA data_version").fetchone()[0])
