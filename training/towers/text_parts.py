"""Which texts of a batch are embedded together, so that little filling is computed.

Sorted by length, neighbours are cut to the longest of their part. Every part costs something of its
own: calls of all layers, and a gradient of all weights that is added up. The cheapest division is
found exactly.

# B = texts
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

BUCKETS = (8, 16, 24, 32, 48, 64)
"""Lengths that compiled towers are built for, below the context: each takes seconds to compile."""

_PART_TOKENS = {"cpu": 64, "cuda": 8192}
"""What a part costs, in tokens that could have been computed instead: measured on 2 cores, and
estimated for a GPU, which waits for the calls."""


@dataclass(frozen=True, slots=True)
class Part:
    """A run of texts in the order of their lengths."""

    start: int
    """Number of the first text in that order."""
    stop: int
    """Number after the last one."""
    length: int
    """Tokens of the longest one."""


def cheapest_parts(sorted_lengths: Sequence[int], *, device: str) -> list[Part]:
    """Return the division of texts, shortest first, that costs least.

    A part of n texts of at most l tokens costs n l and the fixed price of a part on that kind of
    device.
    """
    price = _PART_TOKENS.get(device, _PART_TOKENS["cuda"])
    distinct = sorted(set(sorted_lengths))
    stops = list(accumulate(sorted_lengths.count(length) for length in distinct))
    best: list[tuple[int, tuple[Part, ...]]] = [(0, ())]
    for last, length in enumerate(distinct):
        choices = []
        for first in range(last + 1):
            start = stops[first - 1] if first else 0
            cost, parts = best[first]
            part = Part(start, stops[last], length)
            choices.append((cost + price + (part.stop - start) * length, (*parts, part)))
        best.append(min(choices, key=lambda choice: choice[0]))
    return list(best[-1][1])


def bucket(length: int, *, context: int) -> int:
    """Return the least length of ``BUCKETS`` that holds ``length``, else the whole context."""
    return next((size for size in BUCKETS if length <= size < context), context)
