"""Texts to token ids without torch, from the ``tokenizer.json`` of a model folder.

# N = texts, L = tokens of the longest text of a batch
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from tokenizers import Encoding, Tokenizer

from core.errors import ArtifactError
from core.types import IdArray
from encoders.cleaning import clean_text
from encoders.spec import TextSpec


@dataclass(frozen=True, slots=True)
class TokenBatch:
    """What a text tower takes."""

    input_ids_NL: IdArray
    """Token ids, filled up on the right."""
    attention_mask_NL: IdArray
    """1 for a token, 0 for filling."""


class TextTokenizer:
    """Cleans, tokenises, cuts and pads texts as the spec of a model says."""

    def __init__(self, definition: bytes, spec: TextSpec) -> None:
        """Read a ``tokenizer.json``.

        Raises:
            ArtifactError: the definition cannot be read.
        """
        try:
            tokenizer = Tokenizer.from_buffer(definition)
        except Exception as error:  # the library raises nothing narrower
            raise ArtifactError(
                f"tokenizer.json cannot be read: {error}; export the model again"
            ) from error
        # What the file says of cutting and padding yields to the spec.
        tokenizer.no_padding()
        tokenizer.no_truncation()
        self._tokenizer = tokenizer
        self._special_tokens = tokenizer.num_special_tokens_to_add(is_pair=False)
        if spec.context_length <= self._special_tokens:
            raise ArtifactError(
                f"context_length = {spec.context_length} leaves no room for a token beside the "
                f"{self._special_tokens} special ones; export the model again"
            )
        self._spec = spec

    def token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the ids of each text, special tokens included, cut to the context length."""
        room = self._spec.context_length - self._special_tokens
        encodings = self._encode(texts)
        for encoding in encodings:
            # Cut before the special tokens are added, so that the last of them stays.
            encoding.truncate(room)
        return [self._tokenizer.post_process(encoding).ids for encoding in encodings]

    def pad(self, token_ids: Sequence[Sequence[int]]) -> TokenBatch:
        """Return one batch of the given ids, as long as its longest or as the whole context."""
        longest = max((len(ids) for ids in token_ids), default=0)
        length = max(1, longest) if self._spec.trim else self._spec.context_length
        shape = (len(token_ids), length)
        input_ids_NL = np.full(shape, self._spec.pad_id, np.int64)
        attention_mask_NL = np.zeros(shape, np.int64)
        for row, ids in enumerate(token_ids):
            input_ids_NL[row, : len(ids)] = ids
            attention_mask_NL[row, : len(ids)] = 1
        return TokenBatch(input_ids_NL, attention_mask_NL)

    def tokenize(self, texts: Sequence[str]) -> TokenBatch:
        """Return the batch that a text tower takes for ``texts``."""
        return self.pad(self.token_ids(texts))

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return how many tokens each text has, special tokens included, before it is cut."""
        return [len(encoding.ids) + self._special_tokens for encoding in self._encode(texts)]

    def _encode(self, texts: Sequence[str]) -> list[Encoding]:
        """Return the tokens of the cleaned texts without special tokens."""
        cleaned = [clean_text(text, self._spec.cleaning) for text in texts]
        return self._tokenizer.encode_batch_fast(cleaned, add_special_tokens=False)
