"""What captions tell of which pictures answer a text, where nobody has judged every pair.

"A red apple" is written under one picture, but others show apples too: calling those wrong would
teach a calibration that nothing is ever sure. So a picture is relevant to a text if its own texts
have every word of it, not relevant if they share no word with it, and not judged in between.

# N = pictures
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from core.types import IdArray

RELEVANT, NOT_RELEVANT, NOT_JUDGED = 1, 0, -1

_WORD = re.compile(r"\w+")
_EMPTY_WORDS = frozenset(
    {
        *("a", "an", "the", "of", "and", "or", "in", "on", "at", "with", "by", "for", "to", "from"),
        *("is", "are", "was", "be", "this", "that", "it", "its", "as", "into", "over", "under"),
        *("up", "down", "out", "some", "very", "one", "two", "three"),
    }
)
"""English words that stand in captions of anything; in other languages rare words decide too."""


class CaptionJudge:
    """Judges the pictures of one set by their texts."""

    def __init__(self, texts_N: Sequence[Sequence[str]]) -> None:
        """``texts_N`` are the captions, and the label, of each picture."""
        self._count = len(texts_N)
        rows: dict[str, list[int]] = {}
        for row, texts in enumerate(texts_N):
            for word in frozenset().union(*(content_words(text) for text in texts)):
                rows.setdefault(word, []).append(row)
        self._rows: dict[str, IdArray] = {
            word: np.array(found, np.int64) for word, found in rows.items()
        }

    def judge(self, text: str) -> NDArray[np.int8]:
        """Return 1, 0 or -1 for each picture: relevant, not relevant, not judged."""
        words = content_words(text)
        shared_N = self._shared(words)
        judged_N = np.where(shared_N > 0, NOT_JUDGED, NOT_RELEVANT).astype(np.int8)
        if words:
            judged_N[shared_N == len(words)] = RELEVANT
        return judged_N

    def shares_a_word(self, texts: Sequence[str]) -> NDArray[np.bool_]:
        """Return which pictures share a word with any of the texts."""
        words = frozenset().union(*(content_words(text) for text in texts))
        shared_N: NDArray[np.bool_] = self._shared(words) > 0
        return shared_N

    def _shared(self, words: frozenset[str]) -> NDArray[np.int64]:
        shared_N = np.zeros(self._count, np.int64)
        for word in words & self._rows.keys():
            shared_N[self._rows[word]] += 1
        return shared_N


def content_words(text: str) -> frozenset[str]:
    """Return the words of a text in lower case, without those that stand in captions of anything.

    A text of nothing else has no content words.
    """
    return frozenset(_WORD.findall(text.casefold())) - _EMPTY_WORDS
