"""What every side of the embedding benchmark is asked, and how each answer is timed.

# N = items, S = image size, D = embedding dimension
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np

from benchmarks.workers import Task
from core.types import FloatArray, JSONObject, PixelArray

TEXTS_OF_A_BATCH = 32


class Side(Protocol):
    """One way to embed."""

    def embed(self, images: Sequence[bytes]) -> FloatArray:
        """Return the (N, D) embeddings of a few images, without anything running ahead."""
        ...

    def embed_many(self, images: Sequence[bytes], *, way: str) -> FloatArray:
        """Return the (N, D) embeddings of many images, in one of the ways that users have."""
        ...

    def embed_texts(self, texts: Sequence[str]) -> FloatArray:
        """Return the (N, D) embeddings of texts."""
        ...

    def run_tower(self, pixels_NSS3: PixelArray) -> None:
        """Run the image tower on pixels that have the model's size."""
        ...


def one_image(side: Side, *, folder: str, count: int) -> JSONObject:
    """Return the median milliseconds of one image, bytes to vector."""
    images = read(folder, count)
    side.embed(images[:1])
    return {"figure": median_ms(lambda data: side.embed([data]), images)}


def many_images(side: Side, *, folder: str, count: int, way: str) -> JSONObject:
    """Return images a second, bytes to vectors."""
    images = read(folder, count)
    seconds = timed(lambda: side.embed_many(images, way=way))
    return {"figure": count / seconds}


def one_text(side: Side, *, texts: Sequence[str]) -> JSONObject:
    """Return the median milliseconds of one text."""
    side.embed_texts(texts[:1])
    return {"figure": median_ms(lambda text: side.embed_texts([text]), texts)}


def many_texts(side: Side, *, texts: Sequence[str]) -> JSONObject:
    """Return texts a second in batches."""
    batches = [
        texts[start : start + TEXTS_OF_A_BATCH] for start in range(0, len(texts), TEXTS_OF_A_BATCH)
    ]
    seconds = timed(lambda: [side.embed_texts(batch) for batch in batches])
    return {"figure": len(texts) / seconds}


def tower(side: Side, *, batch: int, repeats: int) -> JSONObject:
    """Return images a second of the image tower alone."""
    pixels_NSS3 = np.random.default_rng(0).integers(0, 256, (batch, 224, 224, 3), np.uint8)
    side.run_tower(pixels_NSS3)
    seconds = timed(lambda: [side.run_tower(pixels_NSS3) for _ in range(repeats)])
    return {"figure": batch * repeats / seconds}


def vectors(side: Side, *, folder: str, count: int, texts: Sequence[str], to: str) -> JSONObject:
    """Write the vectors of images and texts, for a comparison of what the sides compute."""
    images = side.embed(read(folder, count))
    np.savez(to, images=images, texts=side.embed_texts(texts))
    return {}


def tasks_of(side: Side) -> dict[str, Task]:
    """Return what a side can be asked."""
    every = (one_image, many_images, one_text, many_texts, tower, vectors)
    return {task.__name__: partial(task, side) for task in every}


def read(folder: str, count: int) -> list[bytes]:
    """Return the bytes of the first images of a folder; from the start again where it has fewer."""
    paths = sorted(Path(folder).glob("*.jpg"))[:count]
    kept = [path.read_bytes() for path in paths]
    return [kept[place % len(kept)] for place in range(count)]


def timed(work: Callable[[], object]) -> float:
    """Return the seconds that ``work`` takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def median_ms(work: Callable[[object], object], inputs: Sequence[object]) -> float:
    """Return the median milliseconds of a call."""
    return 1000 * statistics.median(timed(lambda given=given: work(given)) for given in inputs)
