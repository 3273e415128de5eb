"""Captions as tokens, and which of them a picture shows with in an epoch.

# N = pictures, M = captions of all pictures, L = context length in tokens
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from core.errors import PairsError
from core.pairs.captions import identity_of
from core.pairs.pair import Pair
from core.types import IdArray
from training.data.prompts import prompts_of
from training.data.token_cache import TokenCache, tokens_of
from training.randomness import draws
from zeroshot.templates import PLACEHOLDER

Tokenize = Callable[[list[str]], Tensor]
"""Texts to token ids (M, L) int64."""

_TEXTS_AT_ONCE = 4096


def texts_of(pair: Pair, templates: Sequence[str] = (PLACEHOLDER,)) -> tuple[str, ...]:
    """Return the texts that a pair is trained with: its captions, else prompts of its class."""
    if pair.captions:
        return pair.captions
    return prompts_of(pair.label, templates) if pair.label else ()


def identities_of(pair: Pair, templates: Sequence[str] = (PLACEHOLDER,)) -> tuple[str, ...]:
    """Return what makes each text the same as another; all prompts of one class are alike."""
    if pair.captions:
        return tuple(identity_of(text) for text in pair.captions)
    return (identity_of(pair.label),) * len(templates) if pair.label else ()


def tokenized(texts: Sequence[str], tokenize: Tokenize) -> Tensor:
    """Return the tokens (M, L) of all texts."""
    parts = [
        tokenize(list(texts[start : start + _TEXTS_AT_ONCE]))
        for start in range(0, len(texts), _TEXTS_AT_ONCE)
    ]
    return torch.cat(parts)


def identity_number(identity: str) -> int:
    """Return a 63-bit number for an identity, the same in every data set."""
    encoded = identity.encode(errors="surrogatepass")
    return int.from_bytes(hashlib.blake2b(encoded, digest_size=8).digest(), "little") >> 1


def refuse_single_caption(captions: CaptionTable, *, num_pairs: int) -> None:
    """Refuse pairs that cannot be told apart by their captions.

    Raises:
        PairsError: several pairs, and all have the same caption.
    """
    if captions.num_distinct == 1 and num_pairs > 1:
        raise PairsError(
            f"all {num_pairs} pairs have the same caption, {captions.texts[0]!r:.80}, so there is "
            "nothing to tell apart"
        )


class CaptionTable:
    """All captions of a data set, tokenised once; pairs with the same captions share the rows.

    ``texts`` holds the M captions and ``tokens_ML`` their tokens (M, L) in int32.
    """

    def __init__(
        self,
        pairs: Sequence[Pair],
        tokenize: Tokenize,
        *,
        seed: int,
        templates: Sequence[str] = (PLACEHOLDER,),
        cache: TokenCache | None = None,
    ) -> None:
        """Tokenise the captions, or find their tokens in ``cache``; every pair must have one."""
        self._seed = seed
        texts: list[str] = []
        groups: list[int] = []
        first_rows: dict[tuple[tuple[str, ...], str | None], int] = {}
        counts, firsts = [], []
        for pair in pairs:
            key = (pair.captions, None if pair.captions else pair.label)
            captions = texts_of(pair, templates)
            if key not in first_rows:
                first_rows[key] = len(texts)
                texts.extend(captions)
                groups.extend(identity_number(name) for name in identities_of(pair, templates))
            counts.append(len(captions))
            firsts.append(first_rows[key])
        self.texts = texts
        self.tokens_ML = cache.tokens(texts, tokenize) if cache else tokens_of(texts, tokenize)
        self._counts_N = np.array(counts, dtype=np.int64)
        self._first_N = np.array(firsts, dtype=np.int64)
        self._groups_M = np.array(groups, dtype=np.int64)

    @property
    def num_distinct(self) -> int:
        """Return how many different captions there are; the prompts of a class count as one."""
        return len(np.unique(self._groups_M))

    def rows(self, indices_B: IdArray, *, epoch: int) -> IdArray:
        """Return the caption that each pair shows in an epoch, by (seed, epoch, index)."""
        bits_B = draws("caption", self._seed, epoch, indices_B)
        choices_B = (bits_B % self._counts_N[indices_B].astype(np.uint64)).astype(np.int64)
        rows_B: IdArray = self._first_N[indices_B] + choices_B
        return rows_B

    def tokens(self, rows_B: IdArray) -> Tensor:
        """Return the tokens (B, L) of captions, int64."""
        return torch.from_numpy(self.tokens_ML[rows_B].astype(np.int64))

    def groups(self, rows_B: IdArray) -> IdArray:
        """Return a 63-bit number for each caption that equal captions share, in any data set."""
        return self._groups_M[rows_B]
