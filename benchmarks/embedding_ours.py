"""Our side: a model folder with one precision, in the ways that the product uses it.

# N = items, S = image size, D = embedding dimension
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from benchmarks.embedding_tasks import tasks_of
from benchmarks.workers import serve
from core.types import FloatArray, PixelArray
from encoders.embedding import encode_image_bytes
from encoders.loading import load_encoder
from encoders.preprocessing import preprocess_bytes

BATCH = 32


class Ours:
    """An encoder and the threads that decode ahead of it."""

    def __init__(self, folder: Path, precision: str, *, threads: int) -> None:
        """Load the model."""
        self._encoder = load_encoder(folder, precision=precision, threads=threads)
        self._pool = ThreadPoolExecutor(threads)

    def embed(self, images: Sequence[bytes]) -> FloatArray:
        """Embed what a request holds."""
        found = encode_image_bytes(self._encoder, images)
        return np.stack([row for row in found if isinstance(row, np.ndarray)])

    def embed_many(self, images: Sequence[bytes], *, way: str) -> FloatArray:
        """Decode in threads ahead of the model, as ``sightline add`` does."""
        del way
        pixels = list(self._pool.map(self._pixels, images[:BATCH]))
        found = []
        for start in range(0, len(images), BATCH):
            ahead = [self._pool.submit(self._pixels, d) for d in images[start + BATCH :][:BATCH]]
            found.append(self._encoder.encode_images(np.stack(pixels)))
            pixels = [one.result() for one in ahead]
        return np.concatenate(found)

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
    parser.add_argument("precision")
    parser.add_argument("--threads", type=int, required=True)
    asked = parser.parse_args()
    serve(tasks_of(Ours(asked.folder, asked.precision, threads=asked.threads)))


if __name__ == "__main__":
    main()
