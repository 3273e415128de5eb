"""What the training pairs share with the held-out ones: their score would be flattered.

# N = training pairs, M = held-out pairs
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.pairs.captions import captions_of, identity_of
from core.pairs.pair import Pair
from core.types import IdArray
from training.doctor.near import DEFAULT_NEAR, near_matches
from training.doctor.scan import Scan


@dataclass(frozen=True, slots=True)
class Leak:
    """A training pair and a held-out pair with the same picture."""

    id: str
    heldout: str
    """Id of the first held-out pair that it matches."""


@dataclass(frozen=True, slots=True)
class Leakage:
    """What both sets hold."""

    heldout: str
    """Path of the held-out pairs."""
    pairs: int
    """Held-out pairs."""
    unusable: int
    """Held-out pairs without caption or usable picture."""
    same_file: list[Leak]
    """Training pairs whose file is one of the held-out files."""
    alike: list[Leak]
    """Training pairs whose picture looks like a held-out one, without being the same file."""
    captions: int
    """Different held-out captions."""
    captions_seen: int
    """Those of them that training pairs have too: no fault, but then words were seen before."""


def find_leakage(
    pairs: Sequence[Pair],
    scan: Scan,
    heldout: Sequence[Pair],
    heldout_scan: Scan,
    *,
    name: str,
    near: int = DEFAULT_NEAR,
) -> Leakage:
    """Compare training pairs with held-out pairs."""
    same_N, alike_N = shared_pictures(scan, heldout_scan, near=near)
    seen = {identity_of(text) for pair in pairs for text in captions_of(pair)}
    asked = {identity_of(text) for pair in heldout for text in captions_of(pair)}
    usable = sum(
        1 for row, pair in enumerate(heldout) if captions_of(pair) and heldout_scan.good_N[row]
    )
    return Leakage(
        heldout=name,
        pairs=len(heldout),
        unusable=len(heldout) - usable,
        same_file=_leaks(pairs, heldout, same_N),
        alike=_leaks(pairs, heldout, np.where(same_N >= 0, -1, alike_N)),
        captions=len(asked),
        captions_seen=len(asked & seen),
    )


def shared_pictures(scan: Scan, other: Scan, *, near: int) -> tuple[IdArray, IdArray]:
    """Return for each pair (N,) the row of ``other`` with its file, and with its looks, or -1."""
    good, other_good = np.flatnonzero(scan.good_N), np.flatnonzero(other.good_N)
    place_of: dict[bytes, int] = {}
    for row in other_good.tolist():
        place_of.setdefault(other.digest_N16[row].tobytes(), row)
    same_N, alike_N = np.full(len(scan), -1, np.int64), np.full(len(scan), -1, np.int64)
    same_N[good] = [place_of.get(scan.digest_N16[row].tobytes(), -1) for row in good.tolist()]
    if len(good) and len(other_good):
        match = near_matches(scan.prints.rows(good), other.prints.rows(other_good), near=near)
        alike_N[good] = np.where(match < 0, -1, other_good[match])
    return same_N, alike_N


def _leaks(pairs: Sequence[Pair], heldout: Sequence[Pair], match_N: IdArray) -> list[Leak]:
    found = np.flatnonzero(match_N >= 0)
    return [Leak(pairs[row].id, heldout[match_N[row]].id) for row in found.tolist()]
