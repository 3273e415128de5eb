"""A bounded cache of text embeddings: exact text and encoder id in, unit vector out."""

from __future__ import annotations

import threading
from collections import OrderedDict

from core.types import FloatArray

_Key = tuple[str, str]


class TextCache:
    """The most recently used text embeddings; safe to use from any thread."""

    def __init__(self, entries: int) -> None:
        """Keep at most ``entries`` vectors; 0 keeps none."""
        self._entries = entries
        self._vectors: OrderedDict[_Key, FloatArray] = OrderedDict()
        self._lock = threading.Lock()
        self.hits = 0
        self.misses = 0

    def __len__(self) -> int:
        return len(self._vectors)

    def get(self, encoder_id: str, text: str) -> FloatArray | None:
        """Return the (D,) embedding of ``text``, or ``None`` when it is not kept."""
        with self._lock:
            vector_D = self._vectors.get((encoder_id, text))
            if vector_D is None:
                self.misses += 1
                return None
            self.hits += 1
            self._vectors.move_to_end((encoder_id, text))
            return vector_D

    def put(self, encoder_id: str, text: str, vector_D: FloatArray) -> None:
        """Keep a copy of the (D,) embedding of ``text``, dropping the least recently used."""
        # A copy, because a row of a batch would keep the whole batch alive.
        kept_D = vector_D.copy()
        kept_D.flags.writeable = False
        with self._lock:
            self._vectors[encoder_id, text] = kept_D
            self._vectors.move_to_end((encoder_id, text))
            while len(self._vectors) > self._entries:
                self._vectors.popitem(last=False)
