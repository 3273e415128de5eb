"""Synthetic images and captions for the benchmark of evaluation, as files that every child reads.

    python -m benchmarks.evaluation_data FOLDER --images 5000 --captions 5 --dim 512

A caption is its image's vector plus noise; how near it stays is drawn for each, so that some
captions find their image first and some find it behind thousands.

# G = images, C = captions, D = embedding dimension
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.types import FloatArray, IdArray

_LEAST_STEPS, _MOST_STEPS = 1.0, 7.0
"""Cosine of a caption with its image, in standard deviations of the cosine of two random vectors:
the best of 100 000 random vectors is at about 4.4."""
_MOST_COSINE = 0.95


@dataclass(frozen=True, slots=True)
class Data:
    """Embeddings, and which image each caption is of."""

    images_GD: FloatArray
    captions_CD: FloatArray
    image_C: IdArray


def make_data(images: int, captions: int, dim: int, *, seed: int = 0) -> Data:
    """Return unit vectors with so many captions for each image."""
    generator = np.random.default_rng(seed)
    images_GD = _unit(generator.standard_normal((images, dim), np.float32))
    image_C = np.repeat(np.arange(images), captions)
    steps_C = generator.uniform(_LEAST_STEPS, _MOST_STEPS, len(image_C)).astype(np.float32)
    cosine_C1 = np.minimum(steps_C / np.sqrt(np.float32(dim)), _MOST_COSINE)[:, None]
    noise_CD = _unit(generator.standard_normal((len(image_C), dim), np.float32))
    captions_CD = cosine_C1 * images_GD[image_C] + np.sqrt(1 - cosine_C1**2) * noise_CD
    return Data(images_GD, _unit(captions_CD), image_C)


def save_data(data: Data, folder: Path) -> None:
    """Write the arrays into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "images.npy", data.images_GD)
    np.save(folder / "captions.npy", data.captions_CD)
    np.save(folder / "image_of_caption.npy", data.image_C)


def load_data(folder: Path) -> Data:
    """Read them again."""
    return Data(
        np.load(folder / "images.npy"),
        np.load(folder / "captions.npy"),
        np.load(folder / "image_of_caption.npy"),
    )


def main() -> None:
    """Write the data that was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, required=True)
    parser.add_argument("--captions", type=int, required=True)
    parser.add_argument("--dim", type=int, required=True)
    asked = parser.parse_args()
    save_data(make_data(asked.images, asked.captions, asked.dim), asked.folder)


def _unit(rows_ND: FloatArray) -> FloatArray:
    """Return rows of length 1."""
    unit_ND: FloatArray = rows_ND / np.linalg.norm(rows_ND, axis=1, keepdims=True)
    return unit_ND


if __name__ == "__main__":
    main()
