"""Lanes: who comes first, what shares a batch, and what a bad input costs; time is passed in."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from core.errors import BusyError, DeadlineError, EncoderError
from service.lanes import Job, Lane
from service.request_scope import Priority, RequestScope
from tests.service.observing import KeepingObserver

AGING_S = 10.0


class Model:
    """Doubles numbers, fails on the bad ones, and notes its calls."""

    def __init__(self, *bad: int) -> None:
        """Fail on every batch with one of ``bad``."""
        self.bad = set(bad)
        self.calls: list[list[int]] = []

    def __call__(self, numbers: list[int]) -> list[int]:
        """Return twice each number."""
        self.calls.append(numbers)
        if culprits := self.bad & set(numbers):
            raise RuntimeError(f"cannot take {sorted(culprits)}")
        return [2 * number for number in numbers]


def lane_of(
    model: Model, *, max_batch: int = 4, observer: KeepingObserver | None = None
) -> Lane[int, int]:
    """Return an empty lane with room for 100 inputs."""
    return Lane(
        "numbers",
        model,
        max_batch=max_batch,
        max_queued=100,
        aging_s=AGING_S,
        observer=observer or KeepingObserver(),
    )


def job_of(
    *inputs: int, priority: Priority = Priority.SEARCH, queued_at: float = 0.0
) -> Job[int, int]:
    """Return a job of a request without a deadline, queued at a given time."""
    scope = RequestScope("test", expires_at=math.inf, timeout_s=30.0, priority=priority)
    return Job(inputs, scope, queued_at=queued_at)


def inputs_of(jobs: Sequence[Job[int, int]]) -> list[Sequence[int]]:
    """Return what each job wants."""
    return [job.inputs for job in jobs]


def settled(job: Job[int, int]) -> list[int | str]:
    """Return the results of a job, errors as ``error``."""
    return [
        "error" if isinstance(outcome, EncoderError) else int(str(outcome))
        for outcome in job.wait()
    ]


def test_search_goes_before_classify_before_bulk() -> None:
    """Priority decides, not the time of arrival."""
    lane = lane_of(Model(), max_batch=1)
    for number, priority in enumerate((Priority.BULK, Priority.CLASSIFY, Priority.SEARCH)):
        lane.put(job_of(number, priority=priority, queued_at=float(number)))

    order = [inputs_of(lane.take(5.0)) for _ in range(3)]

    assert order == [[(2,)], [(1,)], [(0,)]]


def test_equal_priority_goes_by_arrival() -> None:
    """First come, first served."""
    lane = lane_of(Model(), max_batch=1)
    lane.put(job_of(1, queued_at=1.0))
    lane.put(job_of(2, queued_at=2.0))

    assert inputs_of(lane.take(3.0)) == [(1,)]


def test_bulk_that_waited_too_long_goes_first() -> None:
    """Under a stream of searches a bulk job waits for the aging bound, not for ever."""
    lane = lane_of(Model(), max_batch=1)
    lane.put(job_of(100, priority=Priority.BULK, queued_at=0.0))
    served = []
    for now in range(1, 15):
        lane.put(job_of(now, queued_at=float(now)))
        served.append(lane.take(float(now))[0].inputs[0])

    assert served.index(100) == 9
    assert served[:9] == list(range(1, 10))


def test_the_turn_of_a_lane_is_that_of_its_most_urgent_job() -> None:
    """Lanes are compared by priority, then by arrival; an overdue job is before all others."""
    lane = lane_of(Model())
    assert lane.turn(0.0) is None

    lane.put(job_of(1, priority=Priority.BULK, queued_at=1.0))
    assert lane.turn(2.0) == (Priority.BULK, 1.0)

    lane.put(job_of(2, priority=Priority.CLASSIFY, queued_at=3.0))
    assert lane.turn(4.0) == (Priority.CLASSIFY, 3.0)
    assert lane.turn(1.0 + AGING_S) == (-1, 1.0)


def test_search_and_classify_share_a_batch() -> None:
    """Where there is room the next priority fills it up."""
    lane = lane_of(Model(), max_batch=4)
    lane.put(job_of(1, 2, priority=Priority.CLASSIFY))
    lane.put(job_of(3))

    assert inputs_of(lane.take(1.0)) == [(3,), (1, 2)]
    assert lane.queued == 0


def test_bulk_does_not_join_those_who_wait() -> None:
    """A fuller batch takes longer, so bulk work waits for its own, until it is overdue."""
    lane = lane_of(Model(), max_batch=4)
    lane.put(job_of(1, priority=Priority.BULK, queued_at=5.0))
    lane.put(job_of(2, queued_at=6.0))

    assert inputs_of(lane.take(7.0)) == [(2,)]
    assert inputs_of(lane.take(7.0)) == [(1,)]

    lane.put(job_of(3, priority=Priority.BULK, queued_at=5.0))
    lane.put(job_of(4, queued_at=6.0))
    assert inputs_of(lane.take(5.0 + AGING_S)) == [(3,), (4,)]


def test_a_job_that_does_not_fit_waits_for_the_next_batch() -> None:
    """Jobs are not cut; a smaller one of lower priority may use the room."""
    lane = lane_of(Model(), max_batch=4)
    lane.put(job_of(1, 2, 3))
    lane.put(job_of(4, 5, 6))
    lane.put(job_of(7, priority=Priority.CLASSIFY))

    assert inputs_of(lane.take(1.0)) == [(1, 2, 3), (7,)]
    assert inputs_of(lane.take(1.0)) == [(4, 5, 6)]


def test_a_full_lane_refuses() -> None:
    """The bound counts inputs, of all priorities together."""
    lane = lane_of(Model())
    for _ in range(25):
        lane.put(job_of(1, 2, 3, 4, priority=Priority.BULK))

    with pytest.raises(BusyError, match="at most 100 may"):
        lane.put(job_of(5))


def test_an_abandoned_job_is_skipped_and_counted() -> None:
    """What nobody waits for never reaches the model, and its places in the queue are free."""
    observer = KeepingObserver()
    lane = lane_of(Model(), observer=observer)
    gone, here = job_of(1, 2), job_of(3)
    lane.put(gone)
    lane.put(here)
    assert gone.scope is not None
    gone.scope.abandon()

    assert lane.take(1.0) == [here]
    assert lane.queued == 0
    assert all(isinstance(outcome, DeadlineError) for outcome in gone.wait())
    assert observer.skipped == {"numbers": 2}


def test_a_job_can_be_taken_back() -> None:
    """Its places are free at once; one that has left the lane is not touched."""
    lane = lane_of(Model())
    gone, running = job_of(1, 2), job_of(3)
    lane.put(running)
    assert lane.take(0.0) == [running]
    lane.put(gone)

    lane.remove(gone)
    lane.remove(running)

    assert lane.queued == 0
    assert lane.turn(0.0) is None
    assert not running.done.is_open()


@pytest.mark.parametrize("culprit", range(16))
def test_one_bad_input_costs_log2_extra_calls(culprit: int) -> None:
    """Of sixteen inputs the fifteen good ones are answered, in at most 1 + 4 + 2 calls."""
    model, observer = Model(culprit), KeepingObserver()
    lane = lane_of(model, max_batch=16, observer=observer)
    job = job_of(*range(16))

    lane.run([job])

    expected = ["error" if number == culprit else 2 * number for number in range(16)]
    assert settled(job) == expected
    assert len(model.calls) <= 1 + math.log2(16) + 2
    assert observer.bisected == {"numbers": 1}


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
def test_a_model_that_fails_on_everything_is_not_asked_much_more_than_once_each(size: int) -> None:
    """Every input gets its error, and the calls stay in proportion to the inputs."""
    model = Model(*range(size))
    lane = lane_of(model, max_batch=size)
    job = job_of(*range(size))

    lane.run([job])

    assert settled(job) == ["error"] * size
    assert len(model.calls) <= size + 2 * (math.ceil(math.log2(size)) + 2)


def test_several_bad_inputs_of_several_jobs_fail_alone() -> None:
    """Five culprits among 32 inputs of eight jobs: everybody else is answered."""
    bad = {0, 5, 6, 17, 31}
    lane = lane_of(Model(*bad), max_batch=32)
    jobs = [job_of(*range(start, start + 4)) for start in range(0, 32, 4)]

    lane.run(jobs)

    found = [outcome for job in jobs for outcome in settled(job)]
    assert found == ["error" if number in bad else 2 * number for number in range(32)]


def test_a_model_that_fails_once_harms_nobody() -> None:
    """A batch that fails as a whole but not in parts (out of memory) is answered in parts."""

    class Moody(Model):
        def __call__(self, numbers: list[int]) -> list[int]:
            if len(numbers) > 2:
                self.calls.append(numbers)
                raise MemoryError
            return super().__call__(numbers)

    job = job_of(1, 2, 3, 4, 5, 6, 7, 8)
    lane = lane_of(Moody(), max_batch=8)

    lane.run([job])

    assert settled(job) == [2, 4, 6, 8, 10, 12, 14, 16]


def test_the_wrong_number_of_outputs_is_an_error_of_the_inputs() -> None:
    """Results are never given to the wrong input."""

    class Short(Model):
        def __call__(self, numbers: list[int]) -> list[int]:
            return super().__call__(numbers)[:-1]

    job = job_of(1, 2)
    lane_of(Short()).run([job])

    assert settled(job) == ["error", "error"]


def test_even_an_exit_of_the_model_is_an_error_of_its_input() -> None:
    """Nothing that a model raises gets out of the lane."""

    class Leaving(Model):
        def __call__(self, numbers: list[int]) -> list[int]:
            raise SystemExit(3)

    job = job_of(1)
    lane_of(Leaving()).run([job])

    assert settled(job) == ["error"]


def test_the_first_outcome_counts() -> None:
    """A job that was given up is not changed by a model that answers after all."""
    job = job_of(1)
    job.fail(EncoderError("given up"))
    job.settle(0, 2)

    assert settled(job) == ["error"]
