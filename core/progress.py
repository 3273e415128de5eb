"""The seam through which long work says how far it is."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self


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


def silent(title: str, *, total: int | None, unit: str, initial: int = 0) -> SilentProgress:
    """Return a display that shows nothing."""
    del title, total, unit, initial
    return SilentProgress()
