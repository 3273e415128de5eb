"""What a gallery takes on the disk, measured now and then: it means looking at every file."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from index.disk_use import DiskUse, measure_disk
from index.store import StoreReader

KEPT_S = 60.0
"""Seconds for which a measurement is good enough: 100 000 files take about one to look at."""


class DiskMeter:
    """The newest measurement; safe to use from any thread."""

    def __init__(
        self, folder: Path, store: StoreReader, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Measure the gallery in ``folder``; ``clock`` gives seconds."""
        self._folder = folder
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._measured: tuple[float, DiskUse] | None = None

    def read(self) -> DiskUse:
        """Return what the gallery takes, as it was at most a minute ago.

        Raises:
            StorageError: the database cannot be read.
        """
        with self._lock:
            if self._measured is None or self._clock() - self._measured[0] > KEPT_S:
                self._measured = (self._clock(), measure_disk(self._folder, self._store))
            return self._measured[1]
