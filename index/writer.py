"""The one thread that writes: group commit, then apply to the live index, then acknowledge.

While one commit waits for the disk, further writes queue up; the next commit takes all of them
at once, so concurrent writers share the cost of each fsync without anybody waiting on a timer.
"""

from __future__ import annotations

import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from core.errors import SightlineError, StorageError
from core.timing import timed
from index.changes import Change, Outcome
from index.observing import IndexObserver, Unobserved
from index.schema import storage_errors

ResultT = TypeVar("ResultT")

_MOST_CHANGES_OF_A_COMMIT = 256

Publish = Callable[[Sequence[Outcome[Any]]], None]
"""Applies committed outcomes to the live index."""


@dataclass(frozen=True, slots=True)
class _Job:
    change: Change[Any]
    future: Future[Any]


class Writer:
    """Runs changes in order; each is acknowledged when it is durable and searchable."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        path: Path,
        publish: Publish,
        *,
        observer: IndexObserver | None = None,
    ) -> None:
        """Start the thread. ``path`` names the database in messages."""
        self._observer = observer or Unobserved()
        self._connection = connection
        self._path = path
        self._publish = publish
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._closing = threading.Lock()
        self._closed = False
        self.publishing = threading.Lock()
        """Held from just before a commit until the index has it: a reader that finds the index
        behind the database takes it and looks again."""
        self._thread = threading.Thread(target=self._run, name="collection-writer", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many changes wait for their commit, without those of the commit under way."""
        return self._jobs.qsize()

    def do(self, change: Change[ResultT]) -> ResultT:
        """Run a change and wait until it is durable and searchable.

        Raises:
            StorageFullError: the disk is full; nothing was stored.
            StorageError: the write failed, or the collection is closed.
        """
        future: Future[ResultT] = Future()
        with self._closing:
            if self._closed:
                raise StorageError(f"{self._path} was closed; open the collection again")
            self._jobs.put(_Job(change, future))
        with timed("write"):
            return future.result()

    def close(self) -> None:
        """Finish what was queued and end the thread."""
        with self._closing:
            if not self._closed:
                self._closed = True
                self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        closing = False
        while not closing:
            jobs, closing = self._take()
            if jobs:
                self._commit_group(jobs)

    def _take(self) -> tuple[list[_Job], bool]:
        """Wait for a job, then take whatever else is queued."""
        jobs: list[_Job] = []
        job = self._jobs.get()
        while job is not None:
            jobs.append(job)
            if len(jobs) == _MOST_CHANGES_OF_A_COMMIT:
                return jobs, False
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return jobs, False
        return jobs, True

    def _commit_group(self, jobs: list[_Job]) -> None:
        begun_s = time.monotonic()
        try:
            outcomes = self._commit([job.change for job in jobs])
        except Exception as error:  # noqa: BLE001 - it goes to the callers that wait
            self._isolate(jobs, error)
            return
        self._observer.committed(changes=len(jobs), took_s=time.monotonic() - begun_s)
        for job, outcome in zip(jobs, outcomes, strict=True):
            job.future.set_result(outcome.result)

    def _isolate(self, jobs: list[_Job], error: Exception) -> None:
        """Give each job of a failed group its own transaction, so that one harms no other."""
        if len(jobs) == 1:
            # What a change refuses by itself, such as an item that is not there, is no failure.
            if isinstance(error, StorageError) or not isinstance(error, SightlineError):
                self._observer.write_failed()
            jobs[0].future.set_exception(error)
            return
        for job in jobs:
            self._commit_group([job])

    def _commit(self, changes: list[Change[Any]]) -> list[Outcome[Any]]:
        with storage_errors(self._path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                outcomes = [change(self._connection) for change in changes]
                with self.publishing:
                    self._connection.execute("COMMIT")
                    self._publish(outcomes)
            finally:
                # After a failure SQLite may have rolled back by itself.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
        return outcomes
