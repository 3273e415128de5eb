"""Bounded queues of work for the one inference thread, and the isolation of bad inputs.

A job is what one request wants embedded at once: one or more inputs, each with its own result or
error. A lane holds the jobs of one kind in the order of their priority and makes batches of them.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from core.errors import BusyError, DeadlineError, EncoderError, SightlineError
from service.latch import Latch
from service.request_scope import Priority, RequestScope, deadline_message

InputT = TypeVar("InputT")
OutputT = TypeVar("OutputT")

MOST_HALVED = 2
"""Bad inputs of one batch that are looked for by halving; from then on inputs run one by one, so
that a model that fails on everything costs little more than one call an input."""


class BatchObserver(Protocol):
    """Told of what happens in the lanes; called on the inference thread."""

    def batch_done(self, lane: str, *, size: int, took_s: float) -> None:
        """Note a batch of ``size`` inputs."""
        ...

    def job_waited(self, lane: str, priority: str, waited_s: float) -> None:
        """Note how long a job waited before its batch began."""
        ...

    def inputs_skipped(self, lane: str, count: int) -> None:
        """Note inputs that never ran, because nobody waits for them any more."""
        ...

    def batch_bisected(self, lane: str) -> None:
        """Note a batch on which the model failed, so that it is halved to find the culprit."""
        ...


@dataclass(eq=False, slots=True)
class Job(Generic[InputT, OutputT]):
    """Inputs of one request, and the place where their outcomes arrive."""

    inputs: Sequence[InputT]
    """What to embed, at most one batch of it."""
    scope: RequestScope | None
    """The request that waits, ``None`` for work without a deadline."""
    queued_at: float = field(default_factory=time.monotonic)
    """``time.monotonic()`` of its arrival in the lane."""
    begun_at: float | None = None
    """``time.monotonic()`` of the beginning of its batch; ``None`` before."""
    outcomes: dict[int, OutputT | SightlineError] = field(default_factory=dict)
    """Result or error of each input, by its place."""
    done: Latch = field(default_factory=Latch)
    """Open when every input has an outcome."""

    @property
    def priority(self) -> Priority:
        """Its place in line: that of its request."""
        return Priority.SEARCH if self.scope is None else self.scope.priority

    def settle(self, place: int, outcome: OutputT | SightlineError) -> None:
        """Store the outcome of one input; the first one counts, the last input wakes the caller."""
        self.outcomes.setdefault(place, outcome)
        if len(self.outcomes) == len(self.inputs):
            self.done.open()

    def fail(self, error: SightlineError) -> None:
        """Give every input that has no outcome yet this error."""
        for place in range(len(self.inputs)):
            self.settle(place, error)

    def drop(self) -> None:
        """End a job that nobody waits for, without running it."""
        self.fail(DeadlineError(deadline_message(self.scope.timeout_s if self.scope else 0.0)))

    def wait(self) -> list[OutputT | SightlineError]:
        """Return the outcomes in the order of the inputs.

        Raises:
            DeadlineError: the request's time ended first.
        """
        if not self.done.wait(self.scope.remaining_s() if self.scope else None):
            assert self.scope is not None
            self.scope.abandon()
            raise DeadlineError(deadline_message(self.scope.timeout_s))
        return self._in_order()

    async def wait_async(self) -> list[OutputT | SightlineError]:
        """Return the outcomes in the order of the inputs; the task is cancelled at its deadline."""
        await self.done.opened()
        return self._in_order()

    def _in_order(self) -> list[OutputT | SightlineError]:
        return [self.outcomes[place] for place in range(len(self.inputs))]


Entry = tuple[Job[InputT, OutputT], int]
"""One input of a batch: its job and its place in it."""

Turn = tuple[int, float]
"""Whose turn it is, the least first: overdue or priority, then the time of arrival."""


class Lane(Generic[InputT, OutputT]):
    """The waiting jobs of one kind; the caller holds the lock of all lanes."""

    def __init__(
        self,
        name: str,
        encode: Callable[[list[InputT]], Iterable[OutputT]],
        *,
        max_batch: int,
        max_queued: int,
        aging_s: float,
        observer: BatchObserver,
    ) -> None:
        """Queue at most ``max_queued`` inputs and hand them out by ``max_batch``.

        A job that has waited ``aging_s`` seconds goes before all that have not.
        """
        self.name = name
        self.max_batch = max_batch
        self.queued = 0
        self._encode = encode
        self._max_queued = max_queued
        self._aging_s = aging_s
        self._observer = observer
        self._jobs: dict[Priority, deque[Job[InputT, OutputT]]] = {
            priority: deque() for priority in Priority
        }

    def put(self, job: Job[InputT, OutputT]) -> None:
        """Add a job at the end of its priority.

        Raises:
            BusyError: the lane is full.
        """
        if self.queued + len(job.inputs) > self._max_queued:
            raise BusyError(
                f"{self.queued} inputs wait for the model and at most {self._max_queued} may; "
                "try again in a moment"
            )
        self.queued += len(job.inputs)
        self._jobs[job.priority].append(job)

    def turn(self, now: float) -> Turn | None:
        """Return whose turn is the first in this lane, ``None`` where nobody waits."""
        return min((turn for turn, _ in self._heads(now)), default=None)

    def take(self, now: float) -> list[Job[InputT, OutputT]]:
        """Remove and return the next jobs that fit one batch; abandoned ones are dropped.

        Bulk work does not join the batch of somebody who waits, unless it is overdue: on a CPU a
        fuller batch takes longer in proportion.
        """
        taken: list[Job[InputT, OutputT]] = []
        room = self.max_batch
        for (rank, _), jobs in sorted(self._heads(now), key=lambda head: head[0]):
            if taken and rank == Priority.BULK:
                break
            while jobs and len(jobs[0].inputs) <= room:
                job = jobs.popleft()
                self.queued -= len(job.inputs)
                if job.scope is not None and job.scope.is_over():
                    self._drop(job)
                    continue
                room -= len(job.inputs)
                taken.append(job)
        return taken

    def remove(self, job: Job[InputT, OutputT]) -> None:
        """Drop a job that nobody waits for, unless it has left the lane already."""
        for jobs in self._jobs.values():
            if job in jobs:
                jobs.remove(job)
                self.queued -= len(job.inputs)
                self._drop(job)

    def clear(self, error: SightlineError) -> None:
        """Fail every waiting job."""
        for jobs in self._jobs.values():
            while jobs:
                jobs.popleft().fail(error)
        self.queued = 0

    def run(self, jobs: Sequence[Job[InputT, OutputT]]) -> None:
        """Give every input of ``jobs`` its outcome; called without the lock.

        When the model raises, the batch is halved until the culprit stands alone: log2(N) calls,
        and one more for all that were not part of a call that went well.
        """
        entries = [(job, place) for job in jobs for place in range(len(job.inputs))]
        for _ in range(MOST_HALVED):
            if not entries:
                return
            error = self._try(entries)
            if error is None:
                return
            if len(entries) > 1:
                self._observer.batch_bisected(self.name)
            entries = self._isolate(entries, error)
        for entry in entries:
            self._isolate([entry], self._try([entry]))

    def _isolate(
        self, suspects: list[Entry[InputT, OutputT]], error: EncoderError | None
    ) -> list[Entry[InputT, OutputT]]:
        """Settle the culprit among ``suspects`` with its error; return those that did not run."""
        untried: list[Entry[InputT, OutputT]] = []
        known = len(suspects) == 1
        while len(suspects) > 1:
            half, rest = suspects[: len(suspects) // 2], suspects[len(suspects) // 2 :]
            failure = self._try(half)
            known = failure is not None and len(half) == 1
            if failure is None:
                suspects = rest
            else:
                suspects, error = half, failure
                untried += rest
        if not known:
            # The rest of a batch whose first half was good is only suspected.
            error = self._try(suspects)
        if error is not None:
            job, place = suspects[0]
            job.settle(place, error)
        return untried

    def _try(self, entries: list[Entry[InputT, OutputT]]) -> EncoderError | None:
        """Run the model and settle what it gives, or return why it failed."""
        try:
            outputs = self._encode([job.inputs[place] for job, place in entries])
            paired = list(zip(entries, outputs, strict=True))
        except BaseException as error:  # noqa: BLE001 - nothing that a model raises may end the thread
            return _as_encoder_error(error)
        for (job, place), output in paired:
            job.settle(place, output)
        return None

    def _heads(self, now: float) -> list[tuple[Turn, deque[Job[InputT, OutputT]]]]:
        """Return the queues in which somebody waits, each with the turn of its first job."""
        heads = []
        for priority, jobs in self._jobs.items():
            if jobs:
                queued_at = jobs[0].queued_at
                overdue = now - queued_at >= self._aging_s
                heads.append(((-1 if overdue else int(priority), queued_at), jobs))
        return heads

    def _drop(self, job: Job[InputT, OutputT]) -> None:
        job.drop()
        self._observer.inputs_skipped(self.name, len(job.inputs))


def _as_encoder_error(error: BaseException) -> EncoderError:
    wrapped = EncoderError(f"the model could not embed this input: {error}")
    wrapped.__cause__ = error
    return wrapped
