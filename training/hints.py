"""What the log of a run gives away about it, said once each: a slow reader, a stuck temperature."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Mapping

logger = logging.getLogger(__name__)

MOST_DATA_WAIT = 0.2
"""Part of the time in which the model may wait for batches."""
LINES = 3
"""Lines of the log over whose mean the wait is judged: the first one also fills the workers."""


class Hints:
    """Looks at every line of the log of one run."""

    def __init__(self) -> None:
        """Nothing has been seen or said."""
        self._waits: deque[float] = deque(maxlen=LINES)
        self._said: set[str] = set()

    def look(self, values: Mapping[str, float], *, step: int) -> list[str]:
        """Return what is new in a line of kind ``train``, and log it as a warning."""
        self._waits.append(values.get("data_wait", 0.0))
        found = {"data": self._slow_data(), "clamp": _clamped(values)}
        new = {name: text for name, text in found.items() if text and name not in self._said}
        self._said |= new.keys()
        for text in new.values():
            logger.warning(text, extra={"step": step})
        return list(new.values())

    def _slow_data(self) -> str:
        wait = sum(self._waits) / LINES
        if len(self._waits) < LINES or wait <= MOST_DATA_WAIT:
            return ""
        return (
            f"the model waits for pictures during {wait:.0%} of the time; raise data.workers, or "
            "keep decoded pictures with data.cache = memory or disk"
        )


def _clamped(values: Mapping[str, float]) -> str:
    if not values.get("at_clamp"):
        return ""
    return (
        f"the temperature stands at its clamp, logit_scale = {values['logit_scale']:.4g}; it "
        "learns no further that way. Early on it says that the learning rate is too high; late, "
        "that the pairs are told apart as far as they can be"
    )
