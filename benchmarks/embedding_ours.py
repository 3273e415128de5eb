"""Our side: a model folder with one precision, in the ways that the product uses it.

# N = items, S = image size, D = embedding dimension
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.embedding_tasks import tasks_of
from benchmarks.workers import serve
from core.prefetch import batched, prefetched
from core.types import FloatArray, PixelArray
from encoders.embedding import encode_image_bytes
from encoders.loading import load_encoder
from encoders.preprocessing import preprocess_bytes
from encoders.tower_plan import PrecisionChoice
from index.bulk_embedding import PAIRS_OF_A_BATCH

BATCH = PAIRS_OF_A_BATCH
"""Images of one call, as ``sightline embed`` has them."""


class Ours:
    """An encoder and the threads that decode ahead of it."""

    def __init__(self, folder: Path, precision: PrecisionChoice, *, threads: int) -> None:
        """Load the model; a tuned one runs on all cores, as its table says."""
        self._encoder = load_encoder(folder, precision=precision)
        self._threads = threads

    def embed(self, images: Sequence[bytes]) -> FloatArray:
        """Embed what a request holds."""
        found = encode_image_bytes(self._encoder, images)
        return np.stack([row for row in found if isinstance(row, np.ndarray)])

    def embed_many(self, images: Sequence[bytes], *, way: str) -> FloatArray:
        """Decode in threads ahead of the model, as ``sightline embed`` and ``add`` do."""
        del way
        ahead = prefetched(self._pixels, images, workers=self._threads, ahead=2 * BATCH)
        batches = batched(ahead, most=BATCH)
        return np.concatenate([self._encoder.encode_images(np.stack(batch)) for batch in batches])

    def embed_texts(self, texts: Sequence[str]) -> FloatArray:
        """Embed texts."""
        return self._encoder.encode_texts(texts)

    def run_tower(self, pixels_NSS3: PixelArray) -> None:
        """Run the tower."""
        self._encoder.encode_images(pixels_NSS3)

    def _pixels(self, data: bytes) -> PixelArray:
        return preprocess_bytes(data, self._encoder.preprocessing)


def main() -> None:
    """Load the model folder that is named and answer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("precision", choices=("float32", "bfloat16", "int8"))
    parser.add_argument("--threads", type=int, required=True)
    asked = parser.parse_args()
    serve(tasks_of(Ours(asked.folder, asked.precision, threads=asked.threads)))


if __name__ == "__main__":
    main()
