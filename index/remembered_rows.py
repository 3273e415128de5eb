"""Sets of rows that filters select, remembered until something is written.

# N = rows
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

from core.types import IdArray

MOST_BYTES = 32 * 2**20
"""Of all remembered sets together: four million rows. Larger ones are not kept."""
_BYTES_OF_AN_ENTRY = 512
"""What a set costs beside its rows."""


class RememberedRows:
    """A bounded memory of row sets by the text of their filter; any thread may call it.

    A filter that is asked again costs no SQL. What is remembered belongs to one state of the store:
    whoever changes it calls ``forget``, after which nothing that was read before is returned.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        """Keep at most ``most_bytes``; the set that was not used for longest goes first."""
        self._most_bytes = most_bytes
        self._bytes = 0
        self._rows: OrderedDict[str, IdArray] = OrderedDict()
        self._state = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._rows)

    def get(self, filter_text: str, read: Callable[[], IdArray]) -> IdArray:
        """Return the rows of a filter (N,), read-only; ``read`` is called where none are kept."""
        with self._lock:
            kept_N = self._rows.get(filter_text)
            if kept_N is not None:
                self._rows.move_to_end(filter_text)
                return kept_N
            state = self._state
        rows_N = read()
        rows_N.flags.writeable = False
        with self._lock:
            # Something may have been written while they were read.
            if state == self._state:
                self._keep(filter_text, rows_N)
        return rows_N

    def forget(self) -> None:
        """Drop everything: the store has another state now."""
        with self._lock:
            self._state += 1
            self._rows.clear()
            self._bytes = 0

    def _keep(self, filter_text: str, rows_N: IdArray) -> None:
        if filter_text in self._rows or _size(filter_text, rows_N) > self._most_bytes:
            return
        self._rows[filter_text] = rows_N
        self._bytes += _size(filter_text, rows_N)
        while self._bytes > self._most_bytes:
            self._bytes -= _size(*self._rows.popitem(last=False))


def _size(filter_text: str, rows_N: IdArray) -> int:
    return rows_N.nbytes + len(filter_text) + _BYTES_OF_AN_ENTRY
