"""Rules of ids, captions and metadata."""

from __future__ import annotations

import pytest

from core.errors import UsageError
from core.types import JSONObject
from index.items import check_caption, check_id, encode_metadata


@pytest.mark.parametrize(
    "id",
    [
        "a17",
        "../../etc/passwd",
        "%2e%2e",
        "..\\",
        "__proto__",
        "-1",
        "a b",
        "\u00e9",
        "\U0001f469\u200d\U0001f680",
        "x" * 512,
    ],
)
def test_any_readable_text_is_an_id(id: str) -> None:
    """Ids are data: slashes, dots and emoji are as good as letters."""
    assert check_id(id) == id


@pytest.mark.parametrize(
    "id", ["", "x" * 513, "\u00e9" * 257, "a\0b", "a\nb", "\x7f", "\ud800", "e\u0301", "\u202egpj"]
)
def test_ids_that_deceive_or_overflow_are_refused(id: str) -> None:
    """Controls, NUL, half surrogates, other than NFC, direction overrides, over 512 bytes."""
    with pytest.raises(UsageError):
        check_id(id)


def test_captions_are_bounded_text() -> None:
    """64 KiB of UTF-8 without NUL."""
    assert check_caption("a" * 65536)
    for caption in ["a" * 65537, "a\0", "\ud800"]:
        with pytest.raises(UsageError):
            check_caption(caption)


def test_metadata_is_encoded_in_one_form() -> None:
    """Equal metadata are equal texts whatever the order of their keys."""
    assert encode_metadata({"b": [1, None], "a": "x"}) == '{"a":"x","b":[1,null]}'
    assert encode_metadata({"b": [1, None], "a": "x"}) == encode_metadata(
        {"a": "x", "b": [1, None]}
    )


@pytest.mark.parametrize(
    "metadata",
    [
        {"a": float("nan")},
        {"a": float("inf")},
        {"a": 2**63},
        {"a": "x\0"},
        {"a\0": 1},
        {"a": ["\ud800"]},
        {"a": "x" * 70_000},
        {"a": b"bytes"},
        {1: "a"},
        [],
    ],
)
def test_metadata_that_cannot_be_kept_exactly_is_refused(metadata: JSONObject) -> None:
    """What JSON or SQLite would change or lose is an error."""
    with pytest.raises(UsageError):
        encode_metadata(metadata)


def test_metadata_has_a_depth() -> None:
    """Seventeen levels are too deep."""
    metadata: JSONObject = {}
    for _ in range(16):
        metadata = {"a": metadata}

    with pytest.raises(UsageError, match="deeper than 16"):
        encode_metadata(metadata)
