"""Captions tokenised once and kept on disk, so that the next run of millions starts at once.

# M = texts, L = context length in tokens
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from core.artifacts import sha256_bytes
from core.progress import ProgressFactory, silent
from training.data.shards import ShardFolder

KIND = "tokens"
SHARD_TEXTS = 1 << 18
"""Texts of a part on disk: half a minute of open_clip's tokenizer."""
TEXTS_AT_ONCE = 4096

_Tokenize = Callable[[list[str]], Tensor]


@dataclass(frozen=True, slots=True)
class TokenCache:
    """Where tokens are kept."""

    folder: Path
    tokenizer: str
    """Digest of the tokenizer with its context length and cleaning."""
    fewest: int = 50_000
    """Fewer texts than this are tokenised each time: it takes some seconds at most."""
    progress: ProgressFactory = silent

    def tokens(self, texts: Sequence[str], tokenize: _Tokenize) -> NDArray[np.int32]:
        """Return the tokens (M, L) of texts, from the disk where they are there.

        Raises:
            IntegrityError: a part on disk is damaged.
            TrainingError: the disk refuses a part.
        """
        if len(texts) < self.fewest:
            return tokens_of(texts, tokenize)
        folder, parts = ShardFolder(self.folder, KIND), []
        with self.progress("tokenising", total=len(texts), unit="captions") as bar:
            for start in range(0, len(texts), SHARD_TEXTS):
                part = texts[start : start + SHARD_TEXTS]
                arrays = folder.open(
                    {"tokenizer": self.tokenizer, "texts": texts_digest(part)},
                    partial(_arrays, part, tokenize),
                )
                parts.append(arrays["tokens"])
                bar.advance(len(part))
        # One part stays where it is, mapped from the disk; several are joined in memory.
        return parts[0] if len(parts) == 1 else np.concatenate(parts)


def tokens_of(texts: Sequence[str], tokenize: _Tokenize) -> NDArray[np.int32]:
    """Return the tokens (M, L) of texts, half the size of what the tokenizer gives."""
    parts = [
        tokenize(list(texts[start : start + TEXTS_AT_ONCE])).numpy().astype(np.int32)
        for start in range(0, len(texts), TEXTS_AT_ONCE)
    ]
    return np.concatenate(parts)


def texts_digest(texts: Sequence[str]) -> str:
    """Return a sha256 that tells lists of texts apart, whatever characters they hold."""
    encoded = [text.encode(errors="surrogatepass") for text in texts]
    lengths = np.array([len(text) for text in encoded], np.int64)
    return sha256_bytes(lengths.tobytes() + b"".join(encoded))


def _arrays(texts: Sequence[str], tokenize: _Tokenize) -> Mapping[str, NDArray[Any]]:
    return {"tokens": tokens_of(texts, tokenize)}
