"""Rules of cursors: opaque, whole, and bound to their query."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import QueryError
from index.cursor import Cursor, binding_of, check_cursor, decode_cursor, sketch_of
from tests.index.builders import unit

CURSOR = Cursor("binding", (0.5, -0.5), 0.25, "item \u00e9", 10, "key")


def test_a_cursor_survives_the_round_trip() -> None:
    """What a client gives back is what it got, floats to the last bit."""
    assert decode_cursor(CURSOR.encode()) == CURSOR


def test_a_cursor_is_url_safe() -> None:
    """It can stand in a query string unescaped."""
    assert set(CURSOR.encode()) <= set(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    )


def test_every_changed_character_is_noticed() -> None:
    """The checksum refuses a cursor with any one character altered or cut."""
    text = CURSOR.encode()
    for place in range(len(text)):
        other = "A" if text[place] != "A" else "B"
        changed = text[:place] + other + text[place + 1 :]
        if changed == text:
            continue
        try:
            found = decode_cursor(changed)
        except QueryError:
            continue
        # The last character of base64 has bits that carry nothing.
        assert place == len(text) - 1
        assert found == CURSOR


@given(st.text(max_size=80))
def test_nonsense_is_a_query_error(text: str) -> None:
    """No text raises anything else."""
    with pytest.raises(QueryError, match="cursor"):
        decode_cursor(text)


def test_too_long_a_cursor_is_refused() -> None:
    """Nothing is decoded of a megabyte."""
    with pytest.raises(QueryError, match="cursor"):
        decode_cursor("A" * 1_000_000)


def test_a_cursor_of_another_query_is_refused() -> None:
    """Another filter, another vector or another kind of listing does not continue it."""
    vector_D = unit(1, 2, 3, 4)
    binding = binding_of(["vector", "", None])
    cursor = Cursor(binding, sketch_of(vector_D), 0.5, "a", 1)

    check_cursor(cursor, binding=binding, vector_D=vector_D)
    with pytest.raises(QueryError, match="another query"):
        check_cursor(cursor, binding=binding_of(["vector", "", {}]), vector_D=vector_D)
    with pytest.raises(QueryError, match="another query"):
        check_cursor(cursor, binding=binding, vector_D=unit(1, 2, 3, 5))
    with pytest.raises(QueryError, match="another query"):
        check_cursor(cursor, binding=binding, vector_D=None)


def test_the_noise_of_embedding_twice_is_tolerated() -> None:
    """The same text embedded in another batch may differ in the last bits."""
    vector_D = unit(1, 2, 3, 4)
    cursor = Cursor("b", sketch_of(vector_D), 0.5, "a", 1)

    check_cursor(cursor, binding="b", vector_D=vector_D + 1e-6)
