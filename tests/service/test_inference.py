"""The inference thread survives everything, and its watchdog says when the model hangs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from core.errors import EncoderError, NotReadyError
from service.inference import InferenceThread
from service.lanes import Job, Lane
from tests.service.observing import PATIENCE_S, KeepingObserver, wait_until

TIMEOUT_S = 1000.0
"""Of a model call, so long that only a clock that is moved on can reach it."""


class GatedModel:
    """Waits at a gate in each call, unless it is open."""

    def __init__(self) -> None:
        """Start with the gate open."""
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.calls: list[list[int]] = []

    def __call__(self, numbers: list[int]) -> list[int]:
        """Return the numbers, after the gate."""
        self.calls.append(numbers)
        self.entered.set()
        assert self.gate.wait(PATIENCE_S)
        return numbers


class Clock:
    """Seconds that stand still until a test moves them."""

    def __init__(self) -> None:
        """Start at 100."""
        self.now = 100.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def lane_of(encode: Callable[[list[int]], list[int]], observer: KeepingObserver) -> Lane[int, int]:
    """Return a lane with batches of one."""
    return Lane("numbers", encode, max_batch=1, max_queued=100, aging_s=5.0, observer=observer)


@pytest.fixture
def model() -> Iterator[GatedModel]:
    """Return a model, and let its last call go at the end."""
    gated = GatedModel()
    yield gated
    gated.gate.set()


@pytest.fixture
def clock() -> Clock:
    """Return a clock that the test moves."""
    return Clock()


@pytest.fixture
def lane(model: GatedModel) -> Lane[int, int]:
    """Return the lane of the model."""
    return lane_of(model, KeepingObserver())


@pytest.fixture
def thread(model: GatedModel, lane: Lane[int, int], clock: Clock) -> Iterator[InferenceThread]:
    """Return a running inference thread whose calls may take 1000 seconds of the clock."""
    running = InferenceThread([lane], observer=KeepingObserver(), timeout_s=TIMEOUT_S, clock=clock)
    yield running
    model.gate.set()
    running.close()


def submitted(thread: InferenceThread, lane: Lane[int, int], number: int) -> Job[int, int]:
    """Queue a job of one number."""
    job: Job[int, int] = Job([number], None)
    thread.submit(lane, job)
    return job


def stuck(
    thread: InferenceThread, lane: Lane[int, int], model: GatedModel, clock: Clock
) -> tuple[Job[int, int], Job[int, int]]:
    """Let a call begin and hang until its time is over; return it and a job behind it."""
    model.gate.clear()
    model.entered.clear()
    running = submitted(thread, lane, 1)
    assert model.entered.wait(PATIENCE_S)
    waiting = submitted(thread, lane, 2)
    clock.now += TIMEOUT_S
    thread.look()
    return running, waiting


def test_the_watchdog_looks_again_when_the_call_would_be_over(
    thread: InferenceThread, lane: Lane[int, int], model: GatedModel, clock: Clock
) -> None:
    """An idle thread is left alone for a whole limit, a call for what is left of it."""
    assert thread.look() == TIMEOUT_S

    model.gate.clear()
    submitted(thread, lane, 1)
    assert model.entered.wait(PATIENCE_S)
    clock.now += 400.0

    assert thread.look() == TIMEOUT_S - 400.0
    thread.check()


def test_a_stuck_model_fails_who_waits_and_refuses_who_comes(
    thread: InferenceThread, lane: Lane[int, int], model: GatedModel, clock: Clock
) -> None:
    """Nobody waits for a model that hangs: each job ends with a typed error at once."""
    running, waiting = stuck(thread, lane, model, clock)

    for job in (running, waiting):
        (outcome,) = job.wait()
        assert isinstance(outcome, NotReadyError)
        assert "1000 s" in str(outcome)
    assert lane.queued == 0
    with pytest.raises(NotReadyError, match="has not answered"):
        submitted(thread, lane, 3)
    with pytest.raises(NotReadyError, match="has not answered"):
        thread.check()


def test_a_model_that_answers_after_all_is_used_again(
    thread: InferenceThread, lane: Lane[int, int], model: GatedModel, clock: Clock
) -> None:
    """The late answer changes nothing for those who were told, and work goes on."""
    running, _ = stuck(thread, lane, model, clock)
    model.gate.set()

    def is_ready() -> bool:
        try:
            thread.check()
        except NotReadyError:
            return False
        return True

    wait_until(is_ready)
    assert submitted(thread, lane, 3).wait() == [3]
    assert isinstance(running.wait()[0], NotReadyError)
    assert model.calls == [[1], [3]]


def test_the_watchdog_works_by_itself(model: GatedModel, lane: Lane[int, int]) -> None:
    """Without anybody calling it, a call beyond its limit is noticed in real time."""
    thread = InferenceThread([lane], observer=KeepingObserver(), timeout_s=0.01)
    model.gate.clear()
    try:
        (outcome,) = submitted(thread, lane, 1).wait()
    finally:
        model.gate.set()
        assert thread.close()

    assert isinstance(outcome, NotReadyError)


def test_an_observer_that_fails_does_not_end_the_thread() -> None:
    """Metrics are not worth a service: the job is answered, and so is the next one."""

    class Failing(KeepingObserver):
        def batch_done(self, lane: str, *, size: int, took_s: float) -> None:
            raise ValueError(f"{lane} {size} {took_s}")

    lane = lane_of(GatedModel(), Failing())
    thread = InferenceThread([lane], observer=Failing(), timeout_s=TIMEOUT_S)
    try:
        assert [submitted(thread, lane, number).wait() for number in (1, 2)] == [[1], [2]]
    finally:
        assert thread.close()


def test_a_model_that_wants_to_exit_does_not_end_the_thread() -> None:
    """``SystemExit`` out of a model is an error of its input."""

    def encode(numbers: list[int]) -> list[int]:
        if numbers == [1]:
            raise SystemExit(1)
        return numbers

    lane = lane_of(encode, KeepingObserver())
    thread = InferenceThread([lane], observer=KeepingObserver(), timeout_s=TIMEOUT_S)
    try:
        assert isinstance(submitted(thread, lane, 1).wait()[0], EncoderError)
        assert submitted(thread, lane, 2).wait() == [2]
    finally:
        assert thread.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_dead_thread_is_said() -> None:
    """Should the thread end all the same, those who wait and come get a typed error."""

    class Broken(Lane[int, int]):
        def take(self, now: float) -> list[Job[int, int]]:
            raise RuntimeError(f"a defect at {now}")

    lane = Broken(
        "numbers",
        lambda numbers: numbers,
        max_batch=1,
        max_queued=9,
        aging_s=1.0,
        observer=KeepingObserver(),
    )
    thread = InferenceThread([lane], observer=KeepingObserver(), timeout_s=TIMEOUT_S)

    (outcome,) = submitted(thread, lane, 1).wait()

    assert isinstance(outcome, NotReadyError)
    with pytest.raises(NotReadyError, match="has ended"):
        thread.check()
    assert thread.close()


def test_closing_does_not_wait_for_a_stuck_model(
    thread: InferenceThread,
    lane: Lane[int, int],
    model: GatedModel,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It says that the thread could not be ended, and who still waits is told."""
    monkeypatch.setattr("service.inference._PATIENCE_S", 0.01)
    model.gate.clear()
    job = submitted(thread, lane, 1)
    assert model.entered.wait(PATIENCE_S)
    clock.now += 1.0

    assert not thread.close()
    assert isinstance(job.wait()[0], NotReadyError)
    with pytest.raises(NotReadyError, match="shutting down"):
        thread.check()


def test_the_lane_whose_turn_it_is_goes_first(model: GatedModel) -> None:
    """Of several lanes the one with the oldest job of the best priority is served."""
    observer = KeepingObserver()
    lanes = [
        Lane(name, model, max_batch=1, max_queued=9, aging_s=100.0, observer=observer)
        for name in ("a", "b")
    ]
    thread = InferenceThread(lanes, observer=observer, timeout_s=TIMEOUT_S)
    model.gate.clear()
    try:
        submitted(thread, lanes[0], 0)
        assert model.entered.wait(PATIENCE_S)
        jobs = [submitted(thread, lanes[lane], number) for number, lane in ((1, 1), (2, 0), (3, 1))]
        model.gate.set()
        assert [job.wait() for job in jobs] == [[1], [2], [3]]
    finally:
        model.gate.set()
        assert thread.close()

    assert model.calls == [[0], [1], [2], [3]]
    assert [lane for lane, _ in observer.batches] == ["a", "b", "a", "b"]
    assert observer.waited[0] == ("a", "search")
