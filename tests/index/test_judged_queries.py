"""Rules of index.judged_queries: which queries are the same, and what can be judged."""

from __future__ import annotations

import pytest

from core.errors import QueryError
from core.types import JSONValue
from index.judged_queries import judged_query
from index.query import Mode


@pytest.mark.parametrize(
    "other",
    ["  a red   car -toy ", "-toy a red car", "a -toy red car", '1:"a red car" -1:toy'],
)
def test_queries_that_ask_for_the_same_are_one(other: str) -> None:
    """Order of the parts, white space and spelling of the weights do not matter."""
    assert judged_query(other).id == judged_query("a red car -toy").id


def test_letters_in_another_unicode_form_are_the_same_query() -> None:
    """An accent may be a character of its own."""
    assert judged_query("caf\u00e9").id == judged_query("cafe\u0301").id


@pytest.mark.parametrize(
    ("text", "mode", "conditions"),
    [
        ("a red cart", "vector", None),
        ("a red car -toy", "vector", None),
        ("2:car a red", "vector", None),
        ("id:car", "vector", None),
        ("a red car", "hybrid", None),
        ("a red car", "vector", {"year": 2020}),
    ],
)
def test_another_text_mode_or_filter_is_another_query(
    text: str, mode: Mode, conditions: JSONValue
) -> None:
    """All three decide what is found."""
    other = judged_query(text, mode=mode, filter=conditions)

    assert other.id != judged_query("a red car").id


def test_the_order_of_conditions_makes_no_other_query() -> None:
    """Both must hold, whichever is named first."""
    one = judged_query("car", filter={"a": 1, "not": {"or": [{"b": 2}, {"c": 3}]}})
    other = judged_query("car", filter={"not": {"or": [{"c": 3}, {"b": 2}]}, "a": 1})

    assert one.id == other.id


@pytest.mark.parametrize("text", ["", "   ", '"open', "-"])
def test_what_no_search_could_answer_cannot_be_judged(text: str) -> None:
    """The same errors as of a search."""
    with pytest.raises(QueryError):
        judged_query(text)


def test_a_query_of_one_text_is_a_caption() -> None:
    """Everything else says more than the caption of a picture can."""
    assert judged_query("a red car").caption == "a red car"
    assert judged_query("2:car").caption == "car"
    for more in ("a red car -toy", "car +id:a17", "id:a17", "-car"):
        assert judged_query(more).caption is None
    assert judged_query("invoice", mode="keyword").caption is None
