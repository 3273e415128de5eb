"""Rules of training.doctor.groups."""

from __future__ import annotations

import numpy as np

from training.doctor.groups import DisjointSets, members, numbered


def test_joined_rows_share_the_smallest_row() -> None:
    """5-3, 3-1 and 4-2 make the sets 1 3 5 and 2 4."""
    sets = DisjointSets(6)

    sets.join(np.array([5, 4]), np.array([3, 2]))
    sets.join(np.array([3]), np.array([1]))

    assert sets.roots().tolist() == [0, 1, 2, 1, 2, 1]


def test_equal_values_share_a_number() -> None:
    """Numbers follow the first appearance."""
    assert numbered(["b", "a", "b", "c"]).tolist() == [0, 1, 0, 2]


def test_members_are_listed_by_their_first_row() -> None:
    """Groups of one are left out."""
    found = members(np.array([7, 2, 7, 1, 2, 2]))

    assert [rows.tolist() for rows in found] == [[0, 2], [1, 4, 5]]
    assert members(np.empty(0, np.int64)) == []
