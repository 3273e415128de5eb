"""The seam through which long work says how far it is, and the plain displays behind it."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Protocol, Self

_SECONDS_BETWEEN_LINES = 10.0


class Progress(Protocol):
    """A running count of finished items, shown to a person or dropped."""

    def __enter__(self) -> Self:
        """Start the display."""
        ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the display and leave the last line in place."""
        ...

    def advance(self, count: int = 1, **fields: str | float) -> None:
        """Add ``count`` finished items; ``fields`` are shown beside the bar."""
        ...


class ProgressFactory(Protocol):
    """Makes a progress display for one piece of work."""

    def __call__(self, title: str, *, total: int | None, unit: str, initial: int = 0) -> Progress:
        """Return a display for ``total`` items (``None`` where unknown)."""
        ...


class SilentProgress:
    """A progress display that shows nothing: for libraries and tests."""

    def __enter__(self) -> Self:
        """Do nothing."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Do nothing."""

    def advance(self, count: int = 1, **fields: str | float) -> None:
        """Do nothing."""


class LineProgress:
    """A line on stderr every ten seconds and one at the end, for logs and pipes."""

    def __init__(self, title: str, *, total: int | None, unit: str, initial: int = 0) -> None:
        """Start counting."""
        self._title, self._total, self._unit = title, total, unit
        self._done = self._initial = initial
        self._fields: dict[str, str | float] = {}
        self._started = self._last_line = time.monotonic()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Print the last line."""
        self._print()

    def advance(self, count: int = 1, **fields: str | float) -> None:
        """Count, and print a line when the last one is old."""
        self._done += count
        self._fields.update(fields)
        if time.monotonic() - self._last_line >= _SECONDS_BETWEEN_LINES:
            self._print()

    def _print(self) -> None:
        self._last_line = time.monotonic()
        elapsed = max(self._last_line - self._started, 1e-9)
        rate = (self._done - self._initial) / elapsed
        parts = [f"{self._title}: {self._done}"]
        if self._total is not None:
            parts[0] += f"/{self._total}"
        parts[0] += f" {self._unit}"
        parts.append(f"{rate:.1f} {self._unit}/s")
        if self._total is not None and rate > 0:
            parts.append(f"{(self._total - self._done) / rate:.0f} s left")
        parts += [f"{key} {value}" for key, value in self._fields.items()]
        sys.stderr.write(", ".join(parts) + "\n")
        sys.stderr.flush()


def silent(title: str, *, total: int | None, unit: str, initial: int = 0) -> SilentProgress:
    """Return a display that shows nothing."""
    del title, total, unit, initial
    return SilentProgress()
