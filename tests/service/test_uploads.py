"""Reading bodies: base64 images and strict JSON."""

from __future__ import annotations

import base64

import pytest

from core.errors import ImageTooLargeError, UsageError
from service.uploads import decode_base64_image, parse_json

DATA = bytes(range(256))
TEXT = base64.b64encode(DATA).decode()


def decode(text: str) -> bytes:
    """Decode with room for 1000 bytes."""
    return decode_base64_image(text, param="image", limit_bytes=1000)


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        f"data:image/png;base64,{TEXT}",
        f"data:;base64,{TEXT}",
        base64.encodebytes(DATA).decode(),
        f"  {TEXT}\r\n",
    ],
)
def test_base64_is_read_in_every_usual_form(text: str) -> None:
    """Plain, as data URI, and with the line breaks that the base64 command writes."""
    assert decode(text) == DATA


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("not base64!", "invalid_base64"),
        ("AAA", "invalid_base64"),
        ("\u00e9\u00e9\u00e9\u00e9", "invalid_base64"),
        (TEXT + "=", "invalid_base64"),
        ("data:image/png," + TEXT, "invalid_base64"),
        ("data:image/png;base64", "invalid_base64"),
        ("data:" + "x" * 500 + ";base64," + TEXT, "invalid_base64"),
        ("http://example.org/a.png", "fetch_disabled"),
        ("https://example.org/a.png", "fetch_disabled"),
    ],
)
def test_what_is_no_base64_is_malformed(text: str, code: str) -> None:
    """The code says whether the text was broken or a URL."""
    with pytest.raises(UsageError) as caught:
        decode(text)

    assert (caught.value.code, caught.value.param) == (code, "image")


def test_too_long_a_text_is_refused_before_it_is_decoded() -> None:
    """The length of base64 tells the size of the image."""
    with pytest.raises(ImageTooLargeError, match="limit is 1000"):
        decode("A" * 2000)


@pytest.mark.parametrize(
    "text", ["", "{", "NaN", "[Infinity]", "-Infinity", '{"a": 1,}', '"\\ud800"', "[" * 100_000]
)
def test_only_strict_json_is_read(text: str) -> None:
    """No NaN, no half characters, no endless nesting."""
    with pytest.raises(UsageError, match="not well-formed"):
        parse_json(text)


def test_json_is_read() -> None:
    """Everything that JSON has."""
    assert parse_json('{"a": [1, 2.5, null, true, "\\u00e9"]}') == {
        "a": [1, 2.5, None, True, "\u00e9"]
    }
