"""Rules of encoders.cleaning: the texts that a tokenizer sees are open_clip's."""

from __future__ import annotations

import random
import string

import pytest
from open_clip.tokenizer import get_clean_fn

from encoders.cleaning import clean_text
from encoders.spec import Cleaning

TEXTS = [
    "",
    "  A   Photo\tof\na CAT. ",
    "Tom &amp;amp; Jerry &lt;3",
    "caf\u00e9 \u00e2\u20ac\u2122 mojibake",
    "snake_case, semi-colon; and (brackets)!",
    "\u0130stanbul \u1e9e \u03a3\u03a3",
    "\u3000wide\u00a0space\u200b",
]


@pytest.mark.parametrize("cleaning", ["whitespace", "lower", "canonicalize"])
@pytest.mark.parametrize("text", TEXTS)
def test_cleaning_is_that_of_open_clip(text: str, cleaning: Cleaning) -> None:
    """Each kind gives the text that open_clip's function of the same name gives."""
    assert clean_text(text, cleaning) == get_clean_fn(cleaning)(text)


def test_plain_texts_need_no_repair() -> None:
    """The quick way for printable ASCII gives what the repair gives."""
    chars = string.ascii_letters + string.digits + string.punctuation.replace("&", "") + "  "
    rng = random.Random(0)
    for _ in range(500):
        text = "".join(rng.choice(chars) for _ in range(rng.randrange(24)))

        assert clean_text(text, "lower") == get_clean_fn("lower")(text)


def test_no_cleaning_changes_nothing() -> None:
    """Tokenizers that clean for themselves get the text as it came."""
    assert clean_text("  A &amp; B ", "none") == "  A &amp; B "
