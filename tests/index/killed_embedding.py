"""Embeds a folder of pictures, and dies by SIGKILL at a call of the model, for the tests.

python -m tests.index.killed_embedding PICTURES OUT CALL
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from core.pairs.reading import read_pairs
from core.types import FloatArray, PixelArray
from index.bulk_embedding import EmbedOptions, embed_into_folder
from tests.fakes import FakeEncoder


class MortalEncoder(FakeEncoder):
    """Kills its process at a call."""

    def __init__(self, dies_at_call: int) -> None:
        """Die at this call, counted from 0."""
        super().__init__()
        self._dies_at_call = dies_at_call

    def encode_images(self, pixels_NSS3: PixelArray) -> FloatArray:
        """Embed, or die."""
        if self.image_calls == self._dies_at_call:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().encode_images(pixels_NSS3)


def main(pictures: Path, out: Path, call: int) -> None:
    """Embed in parts of ten; print how many pairs earlier runs had finished."""
    pairs = read_pairs(pictures)
    summary = embed_into_folder(MortalEncoder(call), pairs, out, EmbedOptions(part_items=10))
    sys.stdout.write(f"{summary.gone_on_at}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
