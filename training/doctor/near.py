"""Pictures that look alike, found among a million without comparing all with all.

Two hashes of 64 bits that differ in at most k bits agree in at least one of k + 1 bands, because k
differences cannot touch them all. So only pictures that share a band are compared, and nothing is
missed (multi-index hashing, Norouzi et al. 2012, arXiv:1307.2982, with the radius of a band 0).

# N = pictures, M = pictures of another set, U = different fingerprints, P = pairs of rows
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from core.errors import UsageError
from training.doctor.fingerprint import HASH_BITS, CellArray, Fingerprints, HashArray
from training.doctor.groups import DisjointSets

DEFAULT_NEAR = 4
MOST_NEAR = 10
"""More bits find mostly pictures that only share a layout."""

_LUMA_DIFFERENCE = 48
_CHROMA_DIFFERENCE = 20

Rows = NDArray[np.int64]


def near_pairs(prints: Fingerprints, *, near: int = DEFAULT_NEAR) -> Iterator[tuple[Rows, Rows]]:
    """Yield rows (P,) and rows (P,) of pictures that look alike; a pair may come twice.

    Alike means: at most ``near`` of 64 bits of the hash differ, and in no cell the luma by more
    than 48 or the chroma by more than 20 of 255 levels. The hash knows no colours: without the
    cells a red circle and a green one would be the same picture.

    Raises:
        UsageError: ``near`` is not between 0 and 10.
    """
    if not 0 <= near <= MOST_NEAR:
        raise UsageError(f"near = {near}: expected 0 to {MOST_NEAR} of {HASH_BITS} bits")
    for key_N in _bands(prints.hash_N, near + 1):
        order_N = np.argsort(key_N, kind="stable")
        for left, right in _neighbours(key_N[order_N], prints.hash_N[order_N], near=near):
            left_rows, right_rows = order_N[left], order_N[right]
            same = _same_colours(prints.cells_N48[left_rows], prints.cells_N48[right_rows])
            if same.any():
                yield left_rows[same], right_rows[same]


def near_groups(prints: Fingerprints, *, near: int = DEFAULT_NEAR) -> Rows:
    """Return for each picture (N,) the first row of its group.

    Pictures are of one group when a chain of pictures that look alike leads from one to the other.
    """
    first_U, inverse_N = prints.distinct()
    sets = DisjointSets(len(first_U))
    for left, right in near_pairs(prints.rows(first_U), near=near):
        sets.join(left, right)
    root_N = sets.roots()[inverse_N]
    first_row = np.full(len(first_U), len(prints), np.int64)
    np.minimum.at(first_row, root_N, np.arange(len(prints)))
    groups_N: Rows = first_row[root_N]
    return groups_N


def near_matches(prints: Fingerprints, others: Fingerprints, *, near: int = DEFAULT_NEAR) -> Rows:
    """Return for each picture (N,) the first row of ``others`` that looks like it, or -1.

    Only direct likeness counts, no chains.
    """
    first_U, inverse_N = prints.distinct()
    count = len(first_U)
    both = Fingerprints(
        np.concatenate([prints.hash_N[first_U], others.hash_N]),
        np.concatenate([prints.cells_N48[first_U], others.cells_N48]),
    )
    none = len(others)
    match_U = np.full(count, none, np.int64)
    for left, right in near_pairs(both, near=near):
        low, high = np.minimum(left, right), np.maximum(left, right)
        across = (low < count) & (high >= count)
        np.minimum.at(match_U, low[across], high[across] - count)
    matched: Rows = np.where(match_U == none, -1, match_U)[inverse_N]
    return matched


def _bands(hash_N: HashArray, count: int) -> Iterator[HashArray]:
    """Yield the value (N,) of each of ``count`` bands of nearly equal width."""
    edges = [HASH_BITS * number // count for number in range(count + 1)]
    for start, end in pairwise(edges):
        mask = np.uint64((1 << (end - start)) - 1)
        yield (hash_N >> np.uint64(start)) & mask


def _neighbours(key_N: HashArray, hash_N: HashArray, *, near: int) -> Iterator[tuple[Rows, Rows]]:
    """Yield places of hashes that are near and have the same key; the keys are sorted.

    Every place is compared with the next, then with the one after that, and so on as long as any
    run of equal keys is that long: whole arrays at once, and no more memory than a few of them.
    """
    alive = np.arange(len(key_N), dtype=np.int64)
    for offset in range(1, len(key_N)):
        alive = alive[: np.searchsorted(alive, len(key_N) - offset)]
        alive = alive[key_N[alive] == key_N[alive + offset]]
        if not len(alive):
            return
        close = alive[np.bitwise_count(hash_N[alive] ^ hash_N[alive + offset]) <= near]
        if len(close):
            yield close, close + offset


def _same_colours(left_P48: CellArray, right_P48: CellArray) -> NDArray[np.bool_]:
    difference_P48 = np.abs(left_P48.astype(np.int16) - right_P48.astype(np.int16))
    luma_P = difference_P48[:, 0::3].max(axis=1)
    chroma_P = np.maximum(difference_P48[:, 1::3], difference_P48[:, 2::3]).max(axis=1)
    same_P: NDArray[np.bool_] = (luma_P <= _LUMA_DIFFERENCE) & (chroma_P <= _CHROMA_DIFFERENCE)
    return same_P
