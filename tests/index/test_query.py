"""Rules of terms, queries and their text form."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import QueryError
from index.query import Query, Term, parse_query


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a red car", [("a red car", None, 1.0)]),
        ("a red car -toy", [("a red car", None, 1.0), ("toy", None, -1.0)]),
        ("a -toy red car", [("a red car", None, 1.0), ("toy", None, -1.0)]),
        ("2:vintage", [("vintage", None, 2.0)]),
        ("+2:vintage -0.5:toy", [("vintage", None, 2.0), ("toy", None, -0.5)]),
        (".5:toy", [("toy", None, 0.5)]),
        ("+id:a17", [(None, "a17", 1.0)]),
        ("-2:id:a17", [(None, "a17", -2.0)]),
        ('id:"two words"', [(None, "two words", 1.0)]),
        ('cat "black and white"', [("cat", None, 1.0), ("black and white", None, 1.0)]),
        ('-"toy car"', [("toy car", None, -1.0)]),
        (r"\-5 degrees", [("-5 degrees", None, 1.0)]),
        (r"12\:30", [("12:30", None, 1.0)]),
        (r"\"quoted\"", [('"quoted"', None, 1.0)]),
        ("t-shirt 12in", [("t-shirt 12in", None, 1.0)]),
        ('a 12" record', [('a 12" record', None, 1.0)]),
        ("  spaces\t\n between ", [("spaces between", None, 1.0)]),
        (r"\id:x", [("id:x", None, 1.0)]),
    ],
)
def test_the_text_form_is_read_as_documented(
    text: str, expected: list[tuple[str | None, str | None, float]]
) -> None:
    """Operators bind to the next word or phrase; words without operator are one term."""
    terms = parse_query(text)

    assert [(term.text, term.image_id, term.weight) for term in terms] == expected


def test_the_example_of_the_api_page() -> None:
    """All four kinds of the example are told apart."""
    terms = parse_query("a red car -toy 2:vintage +id:a17")

    assert [(term.label, term.weight) for term in terms] == [
        ("a red car", 1.0),
        ("toy", -1.0),
        ("vintage", 2.0),
        ("id:a17", 1.0),
    ]


@pytest.mark.parametrize(
    "text",
    ["", "   ", "cat - dog", "-", "+", "2: cat", "id:", '"', '""', 'cat "open', "0:cat", "101:cat"],
)
def test_a_text_that_means_nothing_is_refused(text: str) -> None:
    """A sign without word, an open quote, a weight of 0 or beyond 100 are errors, not guesses."""
    with pytest.raises(QueryError):
        parse_query(text)


def test_the_number_of_terms_and_the_length_are_limited() -> None:
    """33 terms and 4097 characters are too much; the message says the limit."""
    assert len(parse_query(" ".join(f"+w{n}" for n in range(32)))) == 32
    with pytest.raises(QueryError, match="33 terms; the limit is 32"):
        parse_query(" ".join(f"+w{n}" for n in range(33)))
    with pytest.raises(QueryError, match="4097 characters; the limit is 4096"):
        parse_query("a" * 4097)


@given(st.text(max_size=60))
def test_any_text_gives_terms_or_a_query_error(text: str) -> None:
    """Nothing that a client can type raises anything else."""
    try:
        terms = parse_query(text)
    except QueryError:
        return
    assert all(term.weight != 0 for term in terms)


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=20).filter(str.strip))
def test_escaping_every_character_makes_any_word_literal(word: str) -> None:
    """A backslash before each character gives the text back as one plain term."""
    escaped = "".join(f"\\{char}" for char in word)

    assert parse_query(escaped) == (Term(text=word),)


@pytest.mark.parametrize("k", [0, -1, 10**9, 1001, True])
def test_k_out_of_range_names_the_limit(k: int) -> None:
    """K is 1 to 1000."""
    with pytest.raises(QueryError, match="from 1 to 1000"):
        Query((Term(text="cat"),), k=k)


@pytest.mark.parametrize("weight", [0.0, float("nan"), float("inf"), 100.5, -101.0])
def test_weights_that_mean_nothing_are_refused(weight: float) -> None:
    """A weight is finite, not 0 and at most 100."""
    with pytest.raises(QueryError, match="weight"):
        Term(text="cat", weight=weight)


def test_a_term_is_exactly_one_thing() -> None:
    """No kind, or two kinds, is an error."""
    with pytest.raises(QueryError, match="exactly one"):
        Term()
    with pytest.raises(QueryError, match="exactly one"):
        Term(text="cat", vector=np.ones(3, np.float32))


def test_a_query_needs_terms_and_known_settings() -> None:
    """No terms, an unknown mode and an impossible confidence are errors."""
    with pytest.raises(QueryError, match="empty"):
        Query(())
    with pytest.raises(QueryError, match="unknown mode"):
        Query((Term(text="cat"),), mode="magic")  # type: ignore[arg-type] - what a client may send
    with pytest.raises(QueryError, match="min_confidence"):
        Query((Term(text="cat"),), min_confidence=1.5)
    with pytest.raises(QueryError, match="surrogate"):
        Term(text="\ud800")
