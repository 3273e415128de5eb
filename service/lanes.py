"""Bounded queues of work for the one inference thread, and the isolation of bad inputs.

A job is what one request wants embedded at once: one or more inputs, each with its own result or
error. A lane holds the jobs of one kind and turns as many as fit into one batch.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from core.errors import BusyError, DeadlineError, EncoderError, SightlineError
from service.request_scope import RequestScope, deadline_message

InputT = TypeVar("InputT")
OutputT = TypeVar("OutputT")


@dataclass(eq=False, slots=True)
class Job(Generic[InputT, OutputT]):
    """Inputs of one request, and the place where their outcomes arrive."""

    inputs: Sequence[InputT]
    """What to embed, at most one batch of it."""
    scope: RequestScope | None
    """The request that waits, ``None`` for work without a deadline."""
    outcomes: dict[int, OutputT | SightlineError] = field(default_factory=dict)
    """Result or error of each input, by its place."""
    done: threading.Event = field(default_factory=threading.Event)
    """Set when every input has an outcome."""
    queued_at: float = field(default_factory=time.monotonic)
    """``time.monotonic()`` of its arrival in the lane."""

    def settle(self, place: int, outcome: OutputT | SightlineError) -> None:
        """Store the outcome of one input; the last one wakes the caller."""
        self.outcomes[place] = outcome
        if len(self.outcomes) == len(self.inputs):
            self.done.set()

    def drop(self) -> None:
        """End a job that nobody waits for, without running it."""
        timeout_s = self.scope.timeout_s if self.scope else 0.0
        for place in range(len(self.inputs)):
            self.settle(place, DeadlineError(deadline_message(timeout_s)))

    def wait(self) -> list[OutputT | SightlineError]:
        """Return the outcomes in the order of the inputs.

        Raises:
            DeadlineError: the request's time ended first; the job is skipped when its turn comes.
        """
        if not self.done.wait(self.scope.remaining_s() if self.scope else None):
            assert self.scope is not None
            self.scope.abandoned = True
            raise DeadlineError(deadline_message(self.scope.timeout_s))
        return [self.outcomes[place] for place in range(len(self.inputs))]


Entry = tuple[Job[InputT, OutputT], int]
"""One input of a batch: its job and its place in it."""


class Lane(Generic[InputT, OutputT]):
    """The waiting jobs of one kind; the caller holds the lock of all lanes."""

    def __init__(
        self,
        name: str,
        encode: Callable[[list[InputT]], Iterable[OutputT]],
        *,
        max_batch: int,
        max_queued: int,
    ) -> None:
        """Queue at most ``max_queued`` inputs and hand them out by ``max_batch``."""
        self.name = name
        self.max_batch = max_batch
        self.queued = 0
        self._encode = encode
        self._max_queued = max_queued
        self._jobs: deque[Job[InputT, OutputT]] = deque()

    def put(self, job: Job[InputT, OutputT]) -> None:
        """Add a job at the end.

        Raises:
            BusyError: the lane is full.
        """
        if self.queued + len(job.inputs) > self._max_queued:
            raise BusyError(
                f"{self.queued} inputs wait for the model and at most {self._max_queued} may; "
                "try again in a moment"
            )
        self.queued += len(job.inputs)
        self._jobs.append(job)

    def oldest(self) -> float | None:
        """Return when the first job arrived, ``None`` for an empty lane."""
        return self._jobs[0].queued_at if self._jobs else None

    def take(self) -> list[Job[InputT, OutputT]]:
        """Remove and return the first jobs that fit one batch; abandoned ones are dropped."""
        taken: list[Job[InputT, OutputT]] = []
        size = 0
        while self._jobs and size + len(self._jobs[0].inputs) <= self.max_batch:
            job = self._jobs.popleft()
            self.queued -= len(job.inputs)
            if job.scope is not None and job.scope.is_over():
                job.drop()
                continue
            size += len(job.inputs)
            taken.append(job)
        return taken

    def run(self, jobs: list[Job[InputT, OutputT]]) -> None:
        """Give every input of ``jobs`` its outcome; called without the lock."""
        self._settle([(job, place) for job in jobs for place in range(len(job.inputs))])

    def _settle(self, entries: list[Entry[InputT, OutputT]]) -> None:
        """Run the model; when it raises, halve the batch until the culprit stands alone."""
        try:
            outputs = self._encode([job.inputs[place] for job, place in entries])
        except Exception as error:  # noqa: BLE001 - whatever a model raises must not end the thread
            if len(entries) > 1:
                middle = len(entries) // 2
                self._settle(entries[:middle])
                self._settle(entries[middle:])
                return
            job, place = entries[0]
            job.settle(place, _as_encoder_error(error))
            return
        for (job, place), output in zip(entries, outputs, strict=True):
            job.settle(place, output)


def _as_encoder_error(error: Exception) -> EncoderError:
    wrapped = EncoderError(f"the model could not embed this input: {error}")
    wrapped.__cause__ = error
    return wrapped
