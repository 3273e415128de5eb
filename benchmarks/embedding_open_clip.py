"""The side of open_clip: eager float32 with its own transform, as its documentation shows it.

# N = items, S = image size, D = embedding dimension
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from benchmarks.embedding_tasks import tasks_of
from benchmarks.workers import serve
from core.types import FloatArray, PixelArray
from encoders.preprocessing import Preprocessing, normalise_pixels

BATCH = 32


class OpenClip:
    """A model of open_clip on the CPU."""

    def __init__(self, name: str, weights: Path, *, threads: int) -> None:
        """Load the model."""
        torch.set_num_threads(threads)
        self._threads = threads
        model, _, transform = open_clip.create_model_and_transforms(name, pretrained=str(weights))
        self._model, self._transform = model.eval(), transform
        self._tokenizer = open_clip.get_tokenizer(name)

    def embed(self, images: Sequence[bytes]) -> FloatArray:
        """Transform one after the other, then one batch."""
        return self._run(torch.stack([self._read(data) for data in images]))

    def embed_many(self, images: Sequence[bytes], *, way: str) -> FloatArray:
        """Go in batches: ``loop`` decodes between them, ``loader`` has a DataLoader ahead."""
        if way == "loop":
            chunks = range(0, len(images), BATCH)
            return np.concatenate([self.embed(images[start : start + BATCH]) for start in chunks])
        loader = DataLoader(_Images(images, self._transform), BATCH, num_workers=self._threads)
        return np.concatenate([self._run(pixels) for pixels in loader])

    def embed_texts(self, texts: Sequence[str]) -> FloatArray:
        """Tokenise to the context of 77 and run one batch."""
        with torch.no_grad():
            found = self._model.encode_text(self._tokenizer(list(texts)))
            return _units(found)

    def run_tower(self, pixels_NSS3: PixelArray) -> None:
        """Run the tower."""
        self._run(torch.from_numpy(normalise_pixels(pixels_NSS3, Preprocessing())))

    def _read(self, data: bytes) -> torch.Tensor:
        return _transformed(self._transform, data)

    def _run(self, pixels: torch.Tensor) -> FloatArray:
        with torch.no_grad():
            return _units(self._model.encode_image(pixels))


class _Images(Dataset[torch.Tensor]):
    """Bytes in, pixels out, in the processes of a DataLoader."""

    def __init__(self, images: Sequence[bytes], transform: Any) -> None:
        self._images, self._transform = images, transform

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, place: int) -> torch.Tensor:
        return _transformed(self._transform, self._images[place])


def _transformed(transform: Any, data: bytes) -> torch.Tensor:
    pixels: torch.Tensor = transform(Image.open(io.BytesIO(data)))
    return pixels


def _units(found: torch.Tensor) -> FloatArray:
    normed: FloatArray = (found / found.norm(dim=-1, keepdim=True)).numpy()
    return normed


def main() -> None:
    """Load the model that is named and answer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("weights", type=Path)
    parser.add_argument("--threads", type=int, required=True)
    asked = parser.parse_args()
    serve(tasks_of(OpenClip(asked.name, asked.weights, threads=asked.threads)))


if __name__ == "__main__":
    main()
