"""Rules of zeroshot.texts."""

from __future__ import annotations

import pytest

from core.errors import LabelSetError
from zeroshot.texts import MAX_LABEL_CHARS, MAX_LABELS, check_labels, tidy


def test_labels_are_tidied_and_keep_their_order() -> None:
    """White space is folded and accents are composed; the order is the client's."""
    assert check_labels(["  red\tfox ", "cafe\u0301", "bird"]) == ("red fox", "caf\u00e9", "bird")


def test_tidy_makes_a_line_of_lines() -> None:
    """A label file with line ends left in gives the same label."""
    assert tidy("sea\nlion\r\n") == "sea lion"


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([], "0 labels: expected 1 to 1000"),
        (["x"] * (MAX_LABELS + 1), "1001 labels"),
        (["cat", " \n"], r"labels\[1\] is empty"),
        (["a" * (MAX_LABEL_CHARS + 1)], r"labels\[0\] has 201 characters, the limit is 200"),
        (["cat", "dog", "cat"], "labels 0 and 2 are the same: 'cat' and 'cat'"),
        (["caf\u00e9", "CAFE\u0301"], "labels 0 and 1 are the same"),
        (["a\x00b"], "control characters"),
        (["half \ud83d"], "half a character"),
    ],
)
def test_labels_that_cannot_be_used_are_refused(labels: list[str], message: str) -> None:
    """The message says which label and what is wrong with it."""
    with pytest.raises(LabelSetError, match=message):
        check_labels(labels)


def test_one_text_is_not_a_list_of_labels() -> None:
    """A text where a list belongs would become one label per letter."""
    with pytest.raises(LabelSetError, match="got one text"):
        check_labels("cat")


def test_the_error_names_the_parameter() -> None:
    """The API can point at the label."""
    with pytest.raises(LabelSetError) as caught:
        check_labels(["cat", ""])

    assert caught.value.param == "labels[1]"
