"""Progress of long work: a bar with rate and ETA on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import NoReturn, Self

from tqdm import tqdm

from core.progress import Progress

_SECONDS_BETWEEN_LINES = 10.0


class BarProgress:
    """A tqdm bar on stderr."""

    def __init__(self, title: str, *, total: int | None, unit: str, initial: int) -> None:
        """Draw the bar."""
        self._bar: tqdm[NoReturn] = tqdm(
            desc=title, total=total, unit=f" {unit}", initial=initial, dynamic_ncols=True
        )

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the last state of the bar on the screen."""
        self._bar.close()

    def advance(self, count: int = 1, **fields: str | float) -> None:
        """Move the bar and show ``fields`` behind it."""
        if fields:
            self._bar.set_postfix(fields, refresh=False)
        self._bar.update(count)


class LineProgress:
    """A line on stderr every ten seconds and one at the end, for logs and pipes."""

    def __init__(self, title: str, *, total: int | None, unit: str, initial: int) -> None:
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


def terminal_progress(title: str, *, total: int | None, unit: str, initial: int = 0) -> Progress:
    """Return a bar where stderr is a terminal, lines elsewhere."""
    kind = BarProgress if sys.stderr.isatty() else LineProgress
    return kind(title, total=total, unit=unit, initial=initial)
