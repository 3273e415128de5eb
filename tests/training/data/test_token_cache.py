"""Rules of training.data.token_cache: captions are tokenised once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from torch import Tensor

from core.errors import IntegrityError
from core.pairs.pair import Pair
from tests.training.tiny import letters
from training.data import token_cache
from training.data.captions import CaptionTable
from training.data.token_cache import TokenCache, texts_digest, tokens_of

TEXTS = ["a red car", "two dogs", "", "\ud800 half a letter"]


def refuse(texts: list[str]) -> Tensor:
    """Stand for a tokenizer that must not be called."""
    raise AssertionError(texts)


def test_tokens_are_those_of_the_tokenizer(tmp_path: Path) -> None:
    """int32, the same from the disk and without it."""
    cached = TokenCache(tmp_path, "t", fewest=1).tokens(TEXTS, letters)

    assert cached.dtype == np.int32
    assert np.array_equal(cached, letters(TEXTS).numpy())
    assert np.array_equal(tokens_of(TEXTS, letters), cached)


def test_the_second_time_nothing_is_tokenised(tmp_path: Path) -> None:
    """The tokens are mapped from the disk."""
    cache = TokenCache(tmp_path, "t", fewest=1)
    first = cache.tokens(TEXTS, letters)

    second = cache.tokens(TEXTS, refuse)

    assert isinstance(second, np.memmap)
    assert np.array_equal(first, second)


def test_more_texts_than_a_part_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts are joined in order, and texts added at the end leave the first parts as they are."""
    monkeypatch.setattr(token_cache, "SHARD_TEXTS", 2)
    cache = TokenCache(tmp_path, "t", fewest=1)
    cache.tokens(TEXTS[:2], letters)

    tokens = cache.tokens(
        TEXTS, lambda texts: letters(texts) if texts == TEXTS[2:] else refuse(texts)
    )

    assert np.array_equal(tokens, letters(TEXTS).numpy())


@pytest.mark.parametrize(
    ("tokenizer", "texts"),
    [("other", TEXTS), ("t", TEXTS[::-1]), ("t", ["a red ca", "rtwo dogs", *TEXTS[2:]])],
)
def test_another_tokenizer_or_text_is_tokenised(
    tmp_path: Path, tokenizer: str, texts: list[str]
) -> None:
    """Also where all letters together are the same."""
    TokenCache(tmp_path, "t", fewest=1).tokens(TEXTS, letters)

    with pytest.raises(AssertionError):
        TokenCache(tmp_path, tokenizer, fewest=1).tokens(texts, refuse)


def test_few_texts_leave_no_files(tmp_path: Path) -> None:
    """They cost less than the look at the disk."""
    TokenCache(tmp_path, "t", fewest=5).tokens(TEXTS, letters)

    assert list(tmp_path.iterdir()) == []


def test_damaged_tokens_are_found(tmp_path: Path) -> None:
    """A flipped byte would be another word."""
    cache = TokenCache(tmp_path, "t", fewest=1)
    cache.tokens(TEXTS, letters)
    (file,) = tmp_path.rglob("tokens.npy")
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)

    with pytest.raises(IntegrityError, match="delete"):
        cache.tokens(TEXTS, letters)


def test_a_caption_table_takes_its_tokens_from_the_cache(tmp_path: Path) -> None:
    """A second table of the same captions calls no tokenizer and gives the same batches."""
    pairs = [Pair(str(n), Path("x"), (f"caption {n}", "shared")) for n in range(3)]
    cache = TokenCache(tmp_path, "t", fewest=1)
    plain = CaptionTable(pairs, letters, seed=1)
    CaptionTable(pairs, letters, seed=1, cache=cache)

    table = CaptionTable(pairs, refuse, seed=1, cache=cache)

    rows = plain.rows(np.arange(3), epoch=2)
    assert table.texts == plain.texts
    assert table.tokens(rows).equal(plain.tokens(rows))
    assert table.tokens(rows).equal(letters([plain.texts[row] for row in rows]))


def test_digests_tell_texts_apart() -> None:
    """Moving a letter from one text to the next is another list."""
    assert texts_digest(["ab", "c"]) != texts_digest(["a", "bc"])
    assert texts_digest(["ab"]) == texts_digest(["ab"])
