"""The one thread that runs the model, and the watchdog that notices when it hangs.

Whenever the model is free the thread takes what waits, up to one batch, from the lane whose turn
it is. There is no timer: an idle service adds no waiting time, a busy one forms batches by itself.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from core.errors import EncoderError, NotReadyError
from service.lanes import BatchObserver, InputT, Job, Lane, OutputT

logger = logging.getLogger(__name__)

_PATIENCE_S = 5.0
"""Closing gives up on a batch that runs longer than this: the process is about to end anyway."""


class InferenceThread:
    """Runs the jobs of all lanes, one batch at a time; any thread may submit to it."""

    def __init__(
        self,
        lanes: Sequence[Lane[Any, Any]],
        *,
        observer: BatchObserver,
        timeout_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start the thread and its watchdog.

        Args:
            lanes: of which it takes its batches.
            observer: told of every batch.
            timeout_s: seconds after which a batch that still runs counts as stuck.
            clock: seconds, as :func:`time.monotonic`.
        """
        self._lanes = tuple(lanes)
        self._observer = observer
        self._timeout_s = timeout_s
        self._clock = clock
        self._wake = threading.Condition()
        self._running: Sequence[Job[Any, Any]] = ()
        self._begun_at: float | None = None
        self._trouble: str | None = None
        self._closing = False
        self._wakes_soon = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="inference", daemon=True)
        self._thread.start()
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def submit(self, lane: Lane[InputT, OutputT], job: Job[InputT, OutputT]) -> None:
        """Queue a job; ``job.wait()`` returns its outcomes.

        Raises:
            BusyError: too many inputs wait in this lane.
            NotReadyError: the service is closing, or the model is stuck.
        """
        with self._wake:
            self._check()
            lane.put(job)
            self._wake.notify()

    def submit_soon(self, lane: Lane[InputT, OutputT], job: Job[InputT, OutputT]) -> None:
        """Queue a job from a task; the thread is woken when the other ready tasks have run too.

        Requests that arrive together then share a batch, and the threads do not take turns at the
        interpreter for each of them.

        Raises:
            BusyError: too many inputs wait in this lane.
            NotReadyError: the service is closing, or the model is stuck.
        """
        with self._wake:
            self._check()
            lane.put(job)
            if self._wakes_soon:
                return
            self._wakes_soon = True
        asyncio.get_running_loop().call_soon(self._wake_now)

    def _wake_now(self) -> None:
        with self._wake:
            self._wakes_soon = False
            self._wake.notify()

    def withdraw(self, lane: Lane[InputT, OutputT], job: Job[InputT, OutputT]) -> None:
        """Take back a job that nobody waits for; one that runs already runs to its end."""
        with self._wake:
            lane.remove(job)

    def check(self) -> None:
        """Do nothing where jobs are run.

        Raises:
            NotReadyError: the service is closing, or the model is stuck.
        """
        with self._wake:
            self._check()

    def close(self) -> bool:
        """Finish what waits and end the thread; return whether it ended (a stuck one cannot)."""
        with self._wake:
            self._closing = True
            self._wake.notify_all()
        while not self._ended.wait(_PATIENCE_S):
            with self._wake:
                begun_at = self._begun_at
                if begun_at is not None and self._clock() - begun_at >= _PATIENCE_S:
                    self._give_up("the service is shutting down and the model does not answer")
                    return False
        self._thread.join()
        return True

    def look(self) -> float:
        """Do the watchdog's work once and return in how many seconds to look again.

        No call can begin and be overdue in between, so each is noticed when its time is over.
        """
        with self._wake:
            left_s = self._timeout_s
            if self._begun_at is not None:
                left_s += self._begun_at - self._clock()
            if left_s > 0:
                return left_s
            if self._trouble is None:
                self._give_up(
                    f"the model has not answered for {self._timeout_s:g} s; if it stays so, "
                    "restart the service (model_timeout_s sets the limit)"
                )
        return self._timeout_s

    def _check(self) -> None:
        if self._closing:
            raise NotReadyError("the service is shutting down; try again on another one")
        if self._trouble is not None:
            raise NotReadyError(self._trouble)

    def _watch(self) -> None:
        wait_s = self._timeout_s
        while not self._ended.wait(wait_s):
            wait_s = self.look()

    def _give_up(self, trouble: str) -> None:
        """Fail whoever waits and refuse whoever comes; the caller holds the lock."""
        logger.error("inference stopped", extra={"reason": trouble})
        self._trouble = trouble
        for job in self._running:
            job.fail(NotReadyError(trouble))
        for lane in self._lanes:
            lane.clear(NotReadyError(trouble))

    def _serve(self) -> None:
        try:
            while (work := self._next_batch()) is not None:
                self._run(*work)
        finally:
            with self._wake:
                if not self._closing or any(lane.queued for lane in self._lanes):
                    self._give_up("the inference thread has ended; restart the service")
            self._ended.set()

    def _next_batch(self) -> tuple[Lane[Any, Any], list[Job[Any, Any]]] | None:
        """Wait for work; ``None`` when the service closes and nothing is left."""
        with self._wake:
            self._running, self._begun_at = (), None
            if self._trouble is not None:
                logger.warning("the model answers again")
                self._trouble = None
            while True:
                now = self._clock()
                turns = [(turn, lane) for lane in self._lanes if (turn := lane.turn(now))]
                if turns:
                    lane = min(turns, key=lambda pair: pair[0])[1]
                    if jobs := lane.take(now):
                        self._running, self._begun_at = jobs, now
                        return lane, jobs
                elif self._closing:
                    return None
                else:
                    self._wake.wait()

    def _run(self, lane: Lane[Any, Any], jobs: Sequence[Job[Any, Any]]) -> None:
        begun = self._clock()
        for job in jobs:
            job.begun_at = begun
        try:
            lane.run(jobs)
            self._observer.batch_done(
                lane.name,
                size=sum(len(job.inputs) for job in jobs),
                took_s=self._clock() - begun,
            )
            for job in jobs:
                self._observer.job_waited(
                    lane.name, job.priority.name.lower(), begun - job.queued_at
                )
        except Exception:
            logger.exception("a batch ended in an error of the service")
            for job in jobs:
                job.fail(EncoderError("the batch could not be finished; see the log"))
