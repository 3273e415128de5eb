"""Progress of long work: a bar with rate and ETA on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import NoReturn, Self

from tqdm import tqdm

from core.progress import LineProgress, Progress


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


def terminal_progress(title: str, *, total: int | None, unit: str, initial: int = 0) -> Progress:
    """Return a bar where stderr is a terminal, lines elsewhere."""
    kind = BarProgress if sys.stderr.isatty() else LineProgress
    return kind(title, total=total, unit=unit, initial=initial)
