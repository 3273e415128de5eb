"""Rules of stopping a run by a signal."""

from __future__ import annotations

import signal
import threading

import pytest

from training.interrupt import InterruptGuard


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_only_asks(number: signal.Signals) -> None:
    """The step is finished before the run looks at the flag."""
    with InterruptGuard() as guard:
        assert not guard.requested
        signal.raise_signal(number)

        assert guard.requested


def test_the_second_signal_interrupts() -> None:
    """Whoever presses Ctrl-C twice means now."""
    with InterruptGuard():
        signal.raise_signal(signal.SIGINT)

        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_in_another_thread_it_does_nothing() -> None:
    """Python allows handlers in the main thread alone; a run elsewhere still works."""
    before = signal.getsignal(signal.SIGINT)
    seen: list[object] = []

    def run() -> None:
        with InterruptGuard():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()

    assert seen == [before]
