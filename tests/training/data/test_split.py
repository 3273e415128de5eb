"""Rules of the held-out part of training pairs."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import ConfigError
from core.pairs.pair import Pair, PairList
from training.data.split import split_pairs


def pairs(count: int, *, first: int = 0) -> list[Pair]:
    """Return pairs of different pictures with different captions."""
    return [
        Pair(f"{number}.jpg", Path(f"{number}.jpg"), (f"caption {number}",))
        for number in range(first, first + count)
    ]


def ids(part: list[Pair]) -> set[str]:
    """Return the ids of pairs."""
    return {pair.id for pair in part}


def test_the_parts_are_disjoint_and_of_about_the_size() -> None:
    """A tenth of 2000, within five standard deviations; order and skipped samples are kept."""
    source = PairList(pairs(2000), skipped={"x": "why"})

    (training,), heldout = split_pairs(source, fraction=0.1)

    assert abs(len(heldout) - 200) < 5 * (2000 * 0.1 * 0.9) ** 0.5
    assert ids(training) | ids(heldout) == ids(source)
    assert len(training) + len(heldout) == 2000
    assert [pair.id for pair in training] == [p.id for p in source if p.id in ids(training)]
    assert training.skipped == {"x": "why"}


def test_pairs_stay_on_their_side_when_data_grows() -> None:
    """Whatever is added, in front or behind."""
    _, before = split_pairs(pairs(500, first=100), fraction=0.2)
    (training,), after = split_pairs(pairs(1500), fraction=0.2)

    assert ids(before) <= ids(after)
    assert not ids(before) & ids(training)


def test_nothing_leaks_between_the_parts() -> None:
    """Same image, or same set of captions in any order and case, also through a third pair."""
    linked = []
    for pair in pairs(300):
        number = pair.captions[0]
        again = Pair(f"again {pair.id}", pair.image, (f"other {number}", "x"))
        third = Pair(f"third {pair.id}", Path(f"third {pair.id}"), ("X", f"OTHER {number}"))
        linked += [pair, again, third]

    (training,), heldout = split_pairs(linked, fraction=0.3)

    sides = {pair.id: True for pair in heldout} | {pair.id: False for pair in training}
    for pair in pairs(300):
        assert sides[pair.id] == sides[f"again {pair.id}"] == sides[f"third {pair.id}"]
    assert 40 < len(heldout) / 3 < 150


def test_large_groups_are_not_likelier_to_be_held_out() -> None:
    """Of 200 captions with twenty pictures each, about a fifth is held out."""
    grouped = [
        Pair(f"{caption} {number}", Path(f"{caption} {number}"), (f"caption {caption}",))
        for caption in range(200)
        for number in range(20)
    ]

    _, heldout = split_pairs(grouped, fraction=0.2)

    assert abs(len(heldout) / 20 - 40) < 5 * (200 * 0.2 * 0.8) ** 0.5


def test_classes_are_split_by_picture() -> None:
    """A class that is held out whole could not be learned."""
    labelled = [
        Pair(str(number), Path(str(number)), (), label="cat" if number % 2 else "dog")
        for number in range(100)
    ]

    (training,), heldout = split_pairs(labelled, fraction=0.3)

    assert {pair.label for pair in training} == {pair.label for pair in heldout} == {"cat", "dog"}


def test_sources_are_split_together() -> None:
    """A caption that stands in both is on one side in both."""
    first = pairs(200)
    second = [
        Pair(f"b{number}", Path(f"b{number}"), pair.captions) for number, pair in enumerate(first)
    ]

    (left, right), heldout = split_pairs(first, second, fraction=0.25)

    assert {pair.captions for pair in left} == {pair.captions for pair in right}
    assert not {pair.captions for pair in left} & {pair.captions for pair in heldout}
    assert (len(left), len(right)) == (200 - len(heldout) // 2, 200 - len(heldout) // 2)
    assert len(heldout) > 0


@pytest.mark.parametrize("count", [1, 2])
def test_too_few_pairs_are_refused(count: int) -> None:
    """With the numbers and the remedy."""
    with pytest.raises(ConfigError, match=rf"heldout_fraction = 0\.01 of {count} pairs .*--val"):
        split_pairs(pairs(count), fraction=0.01)
