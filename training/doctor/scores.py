"""How well each picture and its captions fit, by a model of one's own: cosine of the embeddings.

# N = pairs, B = pairs of a batch, D = embedding dimension, M = captions of a batch
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from core.errors import ImageError, NotFoundError
from core.pairs.captions import captions_of
from core.pairs.pair import Pair
from core.progress import ProgressFactory, silent
from core.types import FloatArray, PixelArray
from encoders.decoding import DEFAULT_LIMITS, DecodeLimits, read_image_file
from encoders.encoder import Encoder
from encoders.preprocessing import Preprocessing, preprocess_bytes

Captions = Literal["best", "mean"]
"""Which score a pair with several captions has."""

_PAIRS_OF_A_BATCH = 32
_BATCHES_AHEAD = 2


@dataclass(frozen=True, slots=True)
class PairScores:
    """One score a pair."""

    score_N: NDArray[np.float64]
    """Cosine in [-1, 1]; NaN where there is none."""
    reason_of: dict[int, str]
    """Why a row has no score."""


def score_pairs(
    encoder: Encoder,
    pairs: Sequence[Pair],
    *,
    captions: Captions = "best",
    threads: int = 2,
    limits: DecodeLimits = DEFAULT_LIMITS,
    progress: ProgressFactory = silent,
) -> PairScores:
    """Return the cosine of each picture with its best caption, or the mean over its captions.

    Pictures are decoded by ``threads`` ahead of the model; two batches are in memory.

    Raises:
        EncoderError: the model fails.
    """
    score_N = np.full(len(pairs), np.nan)
    reason_of: dict[int, str] = {}
    with progress("score pairs", total=len(pairs), unit="pairs") as shown:
        for start, loaded in _batches(pairs, encoder.preprocessing, threads, limits):
            rows: list[int] = []
            pixels: list[PixelArray] = []
            for row, picture in enumerate(loaded, start):
                if isinstance(picture, str):
                    reason_of[row] = picture
                else:
                    rows.append(row)
                    pixels.append(picture)
            if rows:
                batch = [pairs[row] for row in rows]
                score_N[rows] = _scores(encoder, np.stack(pixels), batch, captions)
            shown.advance(len(loaded), unusable=len(reason_of))
    return PairScores(score_N=score_N, reason_of=reason_of)


def _scores(
    encoder: Encoder, pixels: PixelArray, pairs: Sequence[Pair], captions: Captions
) -> NDArray[np.float64]:
    """Return one score for each of B pairs that all have a picture and a caption."""
    texts = [text for pair in pairs for text in captions_of(pair)]
    counts = [len(captions_of(pair)) for pair in pairs]
    owner_M = np.repeat(np.arange(len(pairs)), counts)
    images_BD = encoder.encode_images(pixels).astype(np.float64)
    texts_MD: FloatArray = encoder.encode_texts(texts)
    cosine_M = np.einsum("md,md->m", images_BD[owner_M], texts_MD.astype(np.float64))
    starts = np.cumsum([0, *counts[:-1]])
    if captions == "best":
        best_B: NDArray[np.float64] = np.maximum.reduceat(cosine_M, starts)
        return best_B
    mean_B: NDArray[np.float64] = np.add.reduceat(cosine_M, starts) / counts
    return mean_B


def _batches(
    pairs: Sequence[Pair], preprocessing: Preprocessing, threads: int, limits: DecodeLimits
) -> Iterator[tuple[int, list[PixelArray | str]]]:
    """Yield the first row of each batch, and for each of its pairs the pixels or why not."""
    pool = ThreadPoolExecutor(threads, thread_name_prefix="decode")
    ahead: deque[tuple[int, list[Future[PixelArray | str]]]] = deque()

    def finished() -> tuple[int, list[PixelArray | str]]:
        start, futures = ahead.popleft()
        return start, [future.result() for future in futures]

    try:
        for start in range(0, len(pairs), _PAIRS_OF_A_BATCH):
            batch = pairs[start : start + _PAIRS_OF_A_BATCH]
            ahead.append((start, [pool.submit(_load, one, preprocessing, limits) for one in batch]))
            if len(ahead) > _BATCHES_AHEAD:
                yield finished()
        while ahead:
            yield finished()
    finally:
        pool.shutdown(cancel_futures=True)


def _load(pair: Pair, preprocessing: Preprocessing, limits: DecodeLimits) -> PixelArray | str:
    if not captions_of(pair):
        return "no caption"
    try:
        return preprocess_bytes(read_image_file(pair.image, limits), preprocessing, limits)
    except (ImageError, NotFoundError) as error:
        return f"cannot be used: {error}"
