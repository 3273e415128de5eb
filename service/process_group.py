"""Several processes that serve one gallery behind one port: started, watched, drained together.

Each has a model of its own and follows the writer of the gallery; the system spreads connections
over them. One that dies is replaced. This module loads no model and serves nothing itself.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import queue
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from core.cores import usable_cores
from core.errors import ConfigError, NotReadyError, SightlineError
from core.log import configure_logging
from service.listening import reserved_socket, url_of
from service.serving_process import Task
from service.settings import Settings

logger = logging.getLogger(__name__)

_STOP, _CHANGED = True, False
_STOPPING_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_STEADY_S = 10.0
"""A process that lived as long is replaced at once; one that did not is waited for longer."""
_LONGEST_WAIT_S = 30.0
_CLOSING_S = 15.0
"""Seconds beyond a drain, a little more than a process gives itself."""


def serve_in_processes(
    settings: Settings, *, on_ready: Callable[[str, list[str]], None] | None = None
) -> None:
    """Serve until SIGTERM or Ctrl-C by ``settings.processes`` processes.

    ``on_ready`` is called once all answer, with the shared address and the own one of each.

    Raises:
        ConfigError: this system cannot share a port, or a setting does not fit.
        NotReadyError: a process could not start, or did not end in order.
        StorageError: the port is taken.
    """
    if not hasattr(socket, "SO_REUSEPORT"):
        raise ConfigError("processes: this system cannot share a port; serve with one process")
    configure_logging(log_format=settings.log_format, level=settings.log_level)
    with reserved_socket(settings.host, settings.port) as reserved:
        group = ProcessGroup(settings, port=reserved.getsockname()[1])
        with _stopped_by_signals(group):
            group.run(on_ready)


class ProcessGroup:
    """The processes of one service; each has a thread here that starts and replaces it."""

    def __init__(self, settings: Settings, *, port: int) -> None:
        """Share ``port``."""
        self._settings = settings
        self._port = port
        self._secret = secrets.token_bytes(32)
        self._lock = threading.Lock()
        # Not an Event: a signal handler may put into this queue at any moment.
        self._news: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._children: dict[int, subprocess.Popen[str]] = {}
        self._addresses: dict[int, str] = {}
        self._refusal: SightlineError | None = None
        self._stopping = threading.Event()
        self._is_started = False
        self._failures = 0

    def run(self, on_ready: Callable[[str, list[str]], None] | None) -> None:
        """Start all, say so, wait for :meth:`stop`, and wait until all have drained."""
        count = self._settings.processes
        keepers = [
            threading.Thread(target=self._keep, args=(place,), name=f"process-{place}")
            for place in range(count)
        ]
        for keeper in keepers:
            keeper.start()
        try:
            while not self._news.get() and self._refusal is None:
                if self._has_just_started() and on_ready is not None:
                    shared = url_of(self._settings.host, self._port)
                    on_ready(shared, [self._addresses[place] for place in range(count)])
        finally:
            self._end(keepers)
        if self._refusal is not None:
            raise self._refusal
        if self._failures:
            raise NotReadyError(f"{self._failures} of {count} processes did not end in order")

    def stop(self) -> None:
        """Let all drain; may be called from a signal handler."""
        self._news.put(_STOP)

    def _has_just_started(self) -> bool:
        """Return whether all answer since the last call."""
        with self._lock:
            if self._is_started or len(self._addresses) < self._settings.processes:
                return False
            self._is_started = True
            return True

    def _keep(self, place: int) -> None:
        """Start one process, and another one whenever it dies."""
        failures = 0
        while (child := self._spawn(place)) is not None:
            begun = time.monotonic()
            self._listen_to(child, place)
            status = child.wait()
            if not self._goes_on_without(place, status):
                return
            failures = 0 if time.monotonic() - begun >= _STEADY_S else failures + 1
            wait_s = min(2.0**failures - 1, _LONGEST_WAIT_S)
            logger.error(
                "serving process lost",
                extra={"place": place, "pid": child.pid, "status": status, "again_in_s": wait_s},
            )
            self._stopping.wait(wait_s)

    def _goes_on_without(self, place: int, status: int) -> bool:
        """Note the end of a process and return whether there is to be another."""
        with self._lock:
            child = self._children.pop(place)
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    pipe.close()
            if self._stopping.is_set():
                self._failures += status not in (0, -signal.SIGTERM)
                return False
            if self._is_started:
                return True
            self._refusal = self._refusal or NotReadyError(
                f"a serving process ended at its start with status {status}; its log says why"
            )
        self._news.put(_CHANGED)
        return False

    def _spawn(self, place: int) -> subprocess.Popen[str] | None:
        """Start a process and tell it its task; ``None`` where all are to stop."""
        with self._lock:
            if self._stopping.is_set():
                return None
            child = subprocess.Popen(
                [sys.executable, "-m", "service.serving_process"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                # Ctrl-C on the terminal comes here first, and from here to each of them once.
                start_new_session=True,
            )
            self._children[place] = child
        assert child.stdin is not None
        own_port = self._port + 1 + place if self._settings.port else 0
        settings = dataclasses.replace(
            self._settings,
            port=self._port,
            processes=1,
            threads=self._settings.threads or self._share_of_cores(),
            decode_threads=self._settings.decode_threads or self._share_of_cores(),
        )
        try:
            child.stdin.write(Task(settings, own_port, self._secret).line())
            child.stdin.flush()
        except BrokenPipeError:
            logger.warning("a serving process ended before it had its task")
        return child

    def _share_of_cores(self) -> int:
        return max(1, usable_cores() // self._settings.processes)

    def _listen_to(self, child: subprocess.Popen[str], place: int) -> None:
        """Read what a process says until it ends."""
        assert child.stdout is not None
        for line in child.stdout:
            try:
                told = json.loads(line)
            except ValueError:
                logger.warning("serving process printed", extra={"place": place})
                continue
            with self._lock:
                if "ready" in told:
                    self._addresses[place] = told["ready"]
                elif not self._is_started:
                    kind = ConfigError if told["usage"] else NotReadyError
                    self._refusal = self._refusal or kind(told["refused"])
                else:
                    logger.error("serving process refused", extra={"reason": told["refused"]})
            self._news.put(_CHANGED)

    def _end(self, keepers: list[threading.Thread]) -> None:
        """Drain all; whoever does not end in time is killed."""
        with self._lock:
            self._stopping.set()
            children = list(self._children.values())
        for child in children:
            child.terminate()
        settings = self._settings
        until = time.monotonic() + settings.drain_notice_s + settings.drain_timeout_s + _CLOSING_S
        for keeper in keepers:
            keeper.join(max(0.0, until - time.monotonic()))
        for child in children:
            if child.poll() is None:
                child.kill()
        for keeper in keepers:
            keeper.join()


@contextmanager
def _stopped_by_signals(group: ProcessGroup) -> Iterator[None]:
    before = {
        number: signal.signal(number, lambda *_: group.stop()) for number in _STOPPING_SIGNALS
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
