"""Merging in the background: a new base when the delta or the tombstones have grown.

Searches and writes go on while the new base is written; only the swap at the end holds writers
for some milliseconds, and searches never. A process that is killed in the middle leaves a file
without a name, which the next start removes.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from pathlib import Path

from core.errors import SightlineError, StorageError
from index.observing import IndexObserver, Unobserved
from index.segmented_index import SegmentedIndex
from index.snapshots import SnapshotRow, write_snapshot
from index.writer import Writer

logger = logging.getLogger(__name__)

_GROWTH_BEFORE_A_RETRY = 1.5


class Merger:
    """The thread that merges the index of one collection."""

    def __init__(
        self,
        folder: Path,
        index: SegmentedIndex,
        writer: Writer,
        *,
        encoder_id: str,
        generation: int = 0,
        observer: IndexObserver | None = None,
    ) -> None:
        """Start the thread, which looks at once whether there is something to do."""
        self.generation = generation
        """Of the base in use."""
        self._observer = observer or Unobserved()
        self._folder = folder
        self._index = index
        self._writer = writer
        self._encoder_id = encoder_id
        self._merging = threading.Lock()
        self._wanted = threading.Event()
        self._closing = False
        self._retry_at = 0.0
        """Rows outside the base at which to try again after a failure."""
        self._thread = threading.Thread(target=self._run, name="collection-merger", daemon=True)
        self._thread.start()
        self.wake()

    def wake(self) -> None:
        """Look whether a merge is worthwhile now; returns at once."""
        if self._index.wants_merge() and self._outside() >= self._retry_at:
            self._wanted.set()

    def merge(self) -> SnapshotRow:
        """Write a new base, record and adopt it; wait for a merge that runs already.

        Raises:
            StorageFullError: the disk is full; the present base goes on.
            StorageError: the file cannot be written.
        """
        with self._merging:
            begun_s = time.monotonic()
            try:
                row = write_snapshot(
                    self._folder, self._index, self._writer, encoder_id=self._encoder_id
                )
            except Exception:
                self._observer.merge_failed()
                raise
            self.generation = row.generation
            self._observer.merged(took_s=time.monotonic() - begun_s)
            return row

    @property
    def is_merging(self) -> bool:
        """Whether a new base is being made."""
        return self._merging.locked()

    def close(self) -> None:
        """End the thread: an exact base is finished (seconds), an approximate one given up."""
        self._closing = True
        is_quick = False
        with contextlib.suppress(SightlineError):
            is_quick = self._index.plan_for(self._index.count()).exact
        if not is_quick:
            self._index.stop()
        self._wanted.set()
        self._thread.join()
        if is_quick and self._index.wants_merge():
            with contextlib.suppress(StorageError):
                self.merge()

    def _run(self) -> None:
        while True:
            self._wanted.wait()
            self._wanted.clear()
            if self._closing:
                return
            if not self._index.wants_merge():
                continue
            try:
                self.merge()
            except Exception:
                # What is searched stays right without it, only slower.
                logger.exception("merge failed", extra={"gallery": str(self._folder)})
                self._retry_at = _GROWTH_BEFORE_A_RETRY * self._outside()
            else:
                self._retry_at = 0
                self.wake()

    def _outside(self) -> int:
        sizes = self._index.sizes()
        return sizes.delta + sizes.dead
