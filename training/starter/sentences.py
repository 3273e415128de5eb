"""Sentence vectors of the frozen text tower, computed once per text and kept on disk.

# N = texts, W = text width
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor

from core.artifacts import read_json, write_json
from training.starter.text_tower import WIDTH, TextTower, embed_texts


class Sentences:
    """A table of normalised sentence vectors by text."""

    def __init__(self, tower: TextTower, tokenizer: Tokenizer, file: Path | None = None) -> None:
        """Read the table from ``file``, safetensors with a JSON beside it, if it is there."""
        self._tower, self._tokenizer, self._file = tower, tokenizer, file
        self._vectors_NW = torch.empty(0, WIDTH)
        self._rows: dict[str, int] = {}
        if file is not None and file.is_file():
            self._vectors_NW = load_file(file)["vectors"]
            texts = read_json(file.with_suffix(".json"))["texts"]
            assert isinstance(texts, list)
            self._rows = {str(text): row for row, text in enumerate(texts)}

    def add(self, texts: Iterable[str]) -> None:
        """Compute the vectors of texts that are not in the table, and write the table."""
        missing = [text for text in dict.fromkeys(texts) if text not in self._rows]
        if not missing:
            return
        new_NW = embed_texts(self._tower, self._tokenizer, missing)
        self._rows.update({text: len(self._rows) + row for row, text in enumerate(missing)})
        self._vectors_NW = torch.cat([self._vectors_NW, new_NW])
        if self._file is not None:
            save_file({"vectors": self._vectors_NW}, self._file)
            write_json(self._file.with_suffix(".json"), {"texts": list(self._rows)})

    def vectors(self, texts: Sequence[str]) -> Tensor:
        """Return the (N, W) vectors of texts, computing those that are missing."""
        self.add(texts)
        return self._vectors_NW[[self._rows[text] for text in texts]]
