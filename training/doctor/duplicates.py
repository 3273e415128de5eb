"""Pictures that occur twice in a set of pairs, to the byte or to the eye.

# N = pairs
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.pairs.pair import Pair
from core.types import IdArray
from training.doctor.groups import DisjointSets, members
from training.doctor.near import DEFAULT_NEAR, near_groups
from training.doctor.scan import Scan


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Groups of pairs, by id, in order of the data."""

    same_file: list[list[str]]
    """Pairs whose files are equal to the byte."""
    alike: list[list[str]]
    """Pairs whose pictures look alike although not all of their files are equal."""
    near: int
    """Bits of 64 in which the hashes of two that look alike may differ."""


def find_duplicates(pairs: Sequence[Pair], scan: Scan, *, near: int = DEFAULT_NEAR) -> Duplicates:
    """Group the usable pictures of a scan."""
    same_N = scan.same_file()
    same = [_ids(pairs, rows) for rows in members(same_N)]
    alike = [
        _ids(pairs, rows)
        for rows in members(like_groups(scan, near=near))
        if len(set(same_N[rows].tolist())) > 1
    ]
    return Duplicates(same_file=same, alike=alike, near=near)


def like_groups(scan: Scan, *, near: int) -> IdArray:
    """Return for each pair (N,) the first row of its group; a bad picture is alone."""
    good = np.flatnonzero(scan.good_N)
    group_N = np.arange(len(scan), dtype=np.int64)
    group_N[good] = good[near_groups(scan.prints.rows(good), near=near)]
    return group_N


def joined_groups(*groupings_N: IdArray) -> IdArray:
    """Return for each row (N,) the first row of what any of the groupings connects."""
    sets = DisjointSets(len(groupings_N[0]))
    for grouping_N in groupings_N:
        for rows in members(grouping_N):
            sets.join(np.full(len(rows) - 1, rows[0]), rows[1:])
    return sets.roots()


def _ids(pairs: Sequence[Pair], rows: IdArray) -> list[str]:
    return [pairs[row].id for row in rows.tolist()]
