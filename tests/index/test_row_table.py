"""Rules of the table between row ids and positions."""

from __future__ import annotations

import numpy as np

from index.row_table import RowTable


def test_positions_are_found_both_ways() -> None:
    """Rows keep the order in which they came; unknown ones are -1."""
    table = RowTable()
    table.append(np.array([7, 3, 900]))

    assert len(table) == 3
    assert table.row_ids().tolist() == [7, 3, 900]
    assert table.positions(np.array([3, 900, 4, -5, 10**9])).tolist() == [1, 2, -1, -1, -1]


def test_removed_rows_are_replaced_from_the_end() -> None:
    """Removing 1 and 4 of 1..5 moves row 5 into the first hole and cuts the rest."""
    table = RowTable()
    table.append(np.array([1, 2, 3, 4, 5]))

    moved_to, moved_from, kept = table.remove(np.array([1, 4, 99, 1]))

    assert (moved_to.tolist(), moved_from.tolist(), kept) == ([0], [4], 3)
    assert table.row_ids().tolist() == [5, 2, 3]
    assert table.positions(np.array([1, 2, 3, 4, 5])).tolist() == [-1, 1, 2, -1, 0]


def test_a_row_may_come_back() -> None:
    """Removing and appending leaves one place for a row."""
    table = RowTable()
    table.append(np.array([1, 2]))
    table.remove(np.array([2]))
    table.append(np.array([2, 3]))

    assert table.row_ids().tolist() == [1, 2, 3]
    assert table.positions(np.array([2, 3])).tolist() == [1, 2]
