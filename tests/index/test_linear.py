"""What was acknowledged before a search began is seen by it, whatever goes on beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.index.linear import Counts, State, main, possible

SECONDS = 4.0
LEAST = Counts(writes=60, searches=60, snapshots=4)


@pytest.mark.slow
def test_every_answer_beside_writers_merges_and_snapshots_is_possible(tmp_path: Path) -> None:
    """Two writers, two readers and a follower of the same folder: no stale or torn answer."""
    counts = main(tmp_path, seconds=SECONDS, seed=0, least=LEAST)

    assert counts.writes >= LEAST.writes
    assert counts.searches >= LEAST.searches
    assert counts.snapshots >= LEAST.snapshots


def test_a_search_may_see_what_was_there_at_some_moment_of_it() -> None:
    """The check itself: acknowledged before it began is the least, begun before it ended the most.

    The states of an item: there at 10, replaced from 20 to 30, deleted from 40 on.
    """
    states = [State(-1, 0, 0), State(7, 5, 10), State(8, 20, 30), State(-1, 40, None)]

    assert possible(states, began=1, ended=4) == (0, 0)
    assert possible(states, began=1, ended=6) == (0, 1)
    assert possible(states, began=10, ended=19) == (1, 1)
    assert possible(states, began=29, ended=29) == (1, 2)
    assert possible(states, began=30, ended=39) == (2, 2)
    assert possible(states, began=50, ended=90) == (2, 3)
