"""Rules of core.pairs.captions."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.pairs.captions import captions_of, identity_of
from core.pairs.pair import Pair


@pytest.mark.parametrize(
    ("captions", "label", "expected"),
    [(("a cat", "b"), "cat", ("a cat", "b")), ((), "cat", ("cat",)), ((), None, ())],
)
def test_a_class_name_serves_where_there_is_no_caption(
    captions: tuple[str, ...], label: str | None, expected: tuple[str, ...]
) -> None:
    """Captions come first; a pair with neither has nothing to be trained with."""
    assert captions_of(Pair("a", Path("a.jpg"), captions, label)) == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [("A  Red\tcar", "a red car"), ("caf\u00e9", "cafe\u0301"), ("STRASSE", "stra\u00dfe")],
)
def test_case_spaces_and_composition_do_not_make_a_caption_another(one: str, other: str) -> None:
    """Both are the same text to a person."""
    assert identity_of(one) == identity_of(other)


def test_other_words_do() -> None:
    """Nothing else is folded away."""
    assert identity_of("a red car") != identity_of("a red, car")
