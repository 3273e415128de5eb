"""Named points at which a test may kill, stop or fail the process; nothing happens without one.

The points:
    ``commit:done``       a change is committed, the index does not have it yet
    ``snapshot:half``     some of a snapshot's bytes are written, under a temporary name
    ``merge:built``       all of its bytes are written, nothing is fsynced yet
    ``snapshot:renamed``  the file has its name and is durable, the database does not know it
    ``merge:recorded``    the database knows it, searches still use the old base
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

POINTS = ("commit:done", "snapshot:half", "merge:built", "snapshot:renamed", "merge:recorded")
"""Every name that ``reach`` is called with."""

_watchers: list[Callable[[str], None]] = []


def reach(point: str) -> None:
    """Tell the watchers, if there are any, that the calling thread is at ``point``."""
    for watcher in _watchers:
        watcher(point)


@contextmanager
def watching(watcher: Callable[[str], None]) -> Iterator[None]:
    """Call ``watcher`` with the name of each point that any thread reaches inside the block.

    What it raises is raised at the point; it may also end the process.
    """
    _watchers.append(watcher)
    try:
        yield
    finally:
        _watchers.remove(watcher)
