"""Rules of values in cells and fields."""

from __future__ import annotations

import pytest

from core.errors import PairsError
from core.pairs.values import scalars_of, texts_of


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, ()),
        (float("nan"), ()),
        ("", ()),
        ("  ", ()),
        (" a cat ", ("a cat",)),
        (" café\n", ("café",)),
        (["a", " ", "b "], ("a", "b")),
        (("a", None), ("a",)),
        ('["a", "b"]', ("a", "b")),
        ("['it''s', \"a cat's\"]", ("its", "a cat's")),
        ("['a', 3]", ("['a', 3]",)),
        ("[sic] a cat", ("[sic] a cat",)),
        ([{"raw": "a", "tokens": ["a"]}, {"caption": "b"}, {"text": "c"}], ("a", "b", "c")),
        ({"raw": "a"}, ("a",)),
    ],
)
def test_captions_in_a_value(value: object, expected: tuple[str, ...]) -> None:
    """A text, a list, a list that was written into a text, or objects as COCO has them."""
    assert texts_of(value, "here") == expected


@pytest.mark.parametrize("value", [3, True, [3], [{"n": 1}], b"a", 1.5])
def test_what_is_no_caption_is_refused(value: object) -> None:
    """The place is named."""
    with pytest.raises(PairsError, match=r"a\.jsonl:3: captions must be text or a list of texts"):
        texts_of(value, "a.jsonl:3")


def test_only_plain_values_are_metadata() -> None:
    """Nothing empty, nested or infinite; false and zero are values."""
    values: dict[str, object] = {
        "a": "x",
        "b": "",
        "c": None,
        "d": [1],
        "e": 0,
        "f": False,
        "g": float("inf"),
        "h": 1.5,
    }

    assert scalars_of(values, list(values)) == {"a": "x", "e": 0, "f": False, "h": 1.5}
