"""Captions as tokens, and which of them a picture shows with in an epoch.

# N = pictures, M = captions of all pictures, L = context length in tokens
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from core.pairs import Pair
from core.types import IdArray
from training.randomness import stream

Tokenize = Callable[[list[str]], Tensor]
"""Texts to token ids (M, L) int64."""

_TEXTS_AT_ONCE = 4096


def captions_of(pair: Pair) -> tuple[str, ...]:
    """Return the captions of a pair; a class name serves where there are none."""
    if pair.captions:
        return pair.captions
    return (pair.label,) if pair.label else ()


def tokenized(texts: Sequence[str], tokenize: Tokenize) -> Tensor:
    """Return the tokens (M, L) of all texts."""
    parts = [
        tokenize(list(texts[start : start + _TEXTS_AT_ONCE]))
        for start in range(0, len(texts), _TEXTS_AT_ONCE)
    ]
    return torch.cat(parts)


def identity_of(text: str) -> str:
    """Return what makes two captions the same: NFC letters without case, single spaces."""
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())


class CaptionTable:
    """All captions of a data set, tokenised once."""

    def __init__(self, pairs: Sequence[Pair], tokenize: Tokenize, *, seed: int) -> None:
        """Tokenise the captions; every pair must have one."""
        texts_of_pair = [captions_of(pair) for pair in pairs]
        texts = [text for captions in texts_of_pair for text in captions]
        self._seed = seed
        self._tokens_ML = tokenized(texts, tokenize)
        self._counts_N = np.array([len(captions) for captions in texts_of_pair])
        self._first_N = np.cumsum(self._counts_N) - self._counts_N
        numbers: dict[str, int] = {}
        self._groups_M = np.array(
            [numbers.setdefault(identity_of(text), len(numbers)) for text in texts], dtype=np.int64
        )

    @property
    def num_distinct(self) -> int:
        """Return how many different captions there are."""
        return int(self._groups_M.max()) + 1

    def rows(self, indices_B: IdArray, *, epoch: int) -> IdArray:
        """Return the caption that each pair shows in an epoch, by (seed, epoch, index)."""
        return np.array([self._row(int(index), epoch) for index in indices_B], dtype=np.int64)

    def tokens(self, rows_B: IdArray) -> Tensor:
        """Return the tokens (B, L) of captions."""
        return self._tokens_ML[torch.from_numpy(rows_B)]

    def groups(self, rows_B: IdArray) -> IdArray:
        """Return a number for each caption that equal captions share."""
        return self._groups_M[rows_B]

    def _row(self, index: int, epoch: int) -> int:
        count = int(self._counts_N[index])
        choice = 0
        if count > 1:
            choice = int(stream("caption", self._seed, epoch, index).integers(count))
        return int(self._first_N[index]) + choice
