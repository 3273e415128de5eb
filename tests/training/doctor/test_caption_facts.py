"""Rules of training.doctor.caption_facts."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from core.pairs.pair import Pair
from training.doctor.caption_facts import (
    CommonCaption,
    caption_facts,
    drawn_captions,
    script_of,
)


def pair(name: str, *captions: str, label: str | None = None) -> Pair:
    """Return a pair without a picture."""
    return Pair(name, Path(name), captions, label)


def test_captions_are_counted() -> None:
    """Same words in other case are the same caption; a pair counts once for each."""
    facts = caption_facts(
        [
            pair("a", "A cat", "a  cat", "a pet"),
            pair("b", "a CAT"),
            pair("c", label="cat"),
            pair("d"),
            pair("e", "x" * 501),
        ]
    )

    assert (facts.captions, facts.distinct) == (6, 4)
    assert facts.per_picture == {"0": 1, "1": 3, "3": 1}
    assert (facts.pairs_without, facts.from_label) == (1, 1)
    assert (facts.one_word, facts.long) == (2, 1)
    assert facts.common == [CommonCaption("A cat", 2)]


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("a red car", "latin"),
        ("voil\u00e0 \u00e9t\u00e9", "latin"),
        ("\u043a\u043e\u0442 on a mat", "latin"),
        ("\u043a\u0440\u0430\u0441\u043d\u044b\u0439 car", "cyrillic"),
        ("\u7ea2\u8272\u7684\u6c7d\u8f66", "cjk"),
        ("12 + 3", "none"),
        ("\u2603", "none"),
    ],
)
def test_the_script_is_that_of_most_letters(text: str, script: str) -> None:
    """Digits and signs have none."""
    assert script_of(text) == script


def test_one_caption_is_drawn_for_each_pair() -> None:
    """Each of several captions comes up about as often, and the same every time."""
    pairs = [pair(str(number), "One", "two", "three") for number in range(3000)]

    drawn = drawn_captions(pairs)

    counts = Counter(drawn)
    assert set(counts) == {"one", "two", "three"}
    assert all(900 < count < 1100 for count in counts.values())
    assert drawn == drawn_captions(pairs)
