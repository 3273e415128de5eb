"""Pairs of any source into a folder of embeddings: decode, embed and write at the same time.

# N = rows of a batch or part, D = embedding dimension, S = image size of the model
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np

from core.artifacts import canonical_json
from core.errors import ImageError, NotFoundError, PairsError, SightlineError
from core.pairs.pair import Pair, PairList
from core.prefetch import batched, prefetched, run_ahead
from core.progress import ProgressFactory, silent
from core.types import FloatArray, PixelArray
from encoders.decoding import DEFAULT_LIMITS, DecodeLimits, read_image_file
from encoders.encoder import Encoder
from encoders.preprocessing import preprocess_bytes
from index.embedding import embed_images, embed_texts
from index.embedding_folder import (
    EmbeddedPart,
    EmbeddingFolder,
    EmbeddingPlan,
    Matrix,
    Precision,
    Skipped,
    joined,
)
from index.sources import source_of
from index.stages import Stage, StageClock

AskedT = TypeVar("AskedT")

PAIRS_OF_A_BATCH = 64
_PAIRS_AHEAD = 2 * PAIRS_OF_A_BATCH


@dataclass(frozen=True, slots=True)
class EmbedOptions:
    """What is written, and how."""

    images: bool = True
    """Embed the images."""
    captions: bool = True
    """Embed the captions, where the source has any."""
    part_items: int = 10_000
    """Pairs of a part, which is what a kill costs at most: minutes on a CPU."""
    precision: Precision = "float16"
    """Of the matrices; clip-retrieval writes float16."""
    threads: int = 2
    """That read and decode ahead of the model."""


@dataclass(slots=True)
class EmbedSummary:
    """What became of the pairs."""

    plan: EmbeddingPlan
    rows: int = 0
    """In the folder, with those of earlier runs."""
    skipped: int = 0
    """Pairs that have no row, and rows that the source could not give."""
    gone_on_at: int = 0
    """Pairs of the parts that earlier runs had finished."""
    bound_by: Stage | None = None
    """What the speed was bound by; ``None`` where nothing was left to do."""


@dataclass(frozen=True, slots=True)
class _Loaded:
    pair: Pair
    pixels_SS3: PixelArray | None
    """``None`` where no images are asked for, or where there is an error."""
    error: SightlineError | None = None


def embed_into_folder(
    encoder: Encoder,
    pairs: PairList,
    folder: Path,
    options: EmbedOptions,
    *,
    limits: DecodeLimits = DEFAULT_LIMITS,
    progress: ProgressFactory = silent,
    on_skipped: Callable[[Skipped], None] = lambda _: None,
) -> EmbedSummary:
    """Embed pairs and write the folder part by part; the same call goes on where one was stopped.

    A pair is a row: its image, and its first caption (a vector of zeros where it has none, as long
    as any pair has one). A bad one is left out, named to ``on_skipped`` and written down.

    Raises:
        ConflictError: the folder holds something else.
        ConfigError: ``pyarrow`` is not installed.
        StorageError: the folder cannot be written; finished parts stay.
    """
    plan = _plan(encoder, pairs, options)
    target = EmbeddingFolder(folder, plan)
    target.write_skipped_source(pairs.skipped)
    done = _place(target)
    clock = StageClock()
    batches = run_ahead(
        _embedded(encoder, pairs[done:], plan, threads=options.threads, limits=limits, clock=clock)
    )
    with (
        closing(batches),
        progress("embedding", total=len(pairs), unit="pairs", initial=done) as shown,
    ):
        part: list[EmbeddedPart] = []
        for batch in batches:
            part.append(batch)
            for one in batch.skipped:
                on_skipped(one)
            shown.advance(_pairs_of([batch]), bound_by=clock.bound)
            if _pairs_of(part) == min(plan.part_items, len(pairs) - _place(target)):
                target.write_part(joined(part))
                part = []
    return EmbedSummary(
        plan,
        rows=sum(rows for rows, _ in target.finished),
        skipped=sum(skipped for _, skipped in target.finished) + len(pairs.skipped),
        gone_on_at=done,
        bound_by=clock.slowest if done < len(pairs) else None,
    )


def _place(target: EmbeddingFolder) -> int:
    """Return the first pair that no finished part has."""
    return min(len(target.finished) * target.plan.part_items, target.plan.pairs)


def _pairs_of(batches: Sequence[EmbeddedPart]) -> int:
    return sum(len(batch.pairs) + len(batch.skipped) for batch in batches)


def _plan(encoder: Encoder, pairs: PairList, options: EmbedOptions) -> EmbeddingPlan:
    digest = hashlib.sha256()
    for pair in pairs:
        asked = [source_of(pair.image), *pair.captions]
        digest.update(canonical_json([*asked]))
    return EmbeddingPlan(
        encoder_id=encoder.encoder_id,
        pairs=len(pairs),
        pairs_digest=digest.hexdigest(),
        part_items=options.part_items,
        images=options.images,
        captions=options.captions and any(pair.captions for pair in pairs),
        precision=options.precision,
    )


def _embedded(
    encoder: Encoder,
    pairs: Sequence[Pair],
    plan: EmbeddingPlan,
    *,
    threads: int,
    limits: DecodeLimits,
    clock: StageClock,
) -> Generator[EmbeddedPart]:
    """Embed batch after batch, none of them over the end of a part; runs in a thread of its own."""

    def load(pair: Pair) -> _Loaded:
        return _load(pair, encoder, limits) if plan.images else _Loaded(pair, None)

    loaded = prefetched(load, pairs, workers=threads, ahead=_PAIRS_AHEAD)
    with closing(loaded):
        for first in range(0, len(pairs), plan.part_items):
            part = islice(loaded, min(plan.part_items, len(pairs) - first))
            batches = batched(part, most=PAIRS_OF_A_BATCH)
            while True:
                with clock.stage("decoding"):
                    batch = next(batches, None)
                if batch is None:
                    break
                with clock.stage("model"):
                    embedded = _embed(encoder, batch, plan)
                with clock.stage("disk"):
                    yield embedded


def _load(pair: Pair, encoder: Encoder, limits: DecodeLimits) -> _Loaded:
    try:
        data = read_image_file(pair.image, limits)
        return _Loaded(pair, preprocess_bytes(data, encoder.preprocessing, limits))
    except (ImageError, NotFoundError) as error:
        return _Loaded(pair, None, error)


def _embed(encoder: Encoder, batch: Sequence[_Loaded], plan: EmbeddingPlan) -> EmbeddedPart:
    """Return the rows of a batch; a pair whose image or caption has no vector is left out."""
    errors = {place: one.error for place, one in enumerate(batch) if one.error is not None}
    images: dict[int, FloatArray] = {}
    texts: dict[int, FloatArray] = {}
    if plan.images:
        pixels = {place: one.pixels_SS3 for place, one in enumerate(batch)}
        images = _vectors(
            {place: found for place, found in pixels.items() if found is not None},
            lambda asked: embed_images(encoder, asked),
            errors,
        )
    if plan.captions:
        captions = {place: one.pair.captions[:1] for place, one in enumerate(batch)}
        texts = _vectors(
            {place: found[0] for place, found in captions.items() if found and place not in errors},
            lambda asked: embed_texts(encoder, asked),
            errors,
        )
    rows = [
        place
        for place in range(len(batch))
        if place not in errors and (plan.images or place in texts)
    ]
    none_D = np.zeros(encoder.dim, np.float32)
    return EmbeddedPart(
        pairs=[batch[place].pair for place in rows],
        images_ND=_rows([images[place] for place in rows], plan, dim=encoder.dim)
        if plan.images
        else None,
        texts_ND=_rows([texts.get(p, none_D) for p in rows], plan, dim=encoder.dim)
        if plan.captions
        else None,
        skipped=[_skipped(one.pair, errors.get(p)) for p, one in enumerate(batch) if p not in rows],
    )


def _vectors(
    asked: Mapping[int, AskedT],
    embed: Callable[[list[AskedT]], list[FloatArray | SightlineError]],
    errors: dict[int, SightlineError],
) -> dict[int, FloatArray]:
    """Return the vectors by place; where there is none, ``errors`` gets the reason."""
    vectors: dict[int, FloatArray] = {}
    for place, found in zip(asked, embed(list(asked.values())), strict=True):
        if isinstance(found, SightlineError):
            errors[place] = found
        else:
            vectors[place] = found
    return vectors


def _rows(vectors: Sequence[FloatArray], plan: EmbeddingPlan, *, dim: int) -> Matrix:
    rows_ND: Matrix = np.empty((len(vectors), dim), plan.precision)
    for row, vector_D in enumerate(vectors):
        rows_ND[row] = vector_D
    return rows_ND


def _skipped(pair: Pair, error: SightlineError | None) -> Skipped:
    code = PairsError.code if error is None else error.code
    message = "it has no caption" if error is None else str(error)
    return Skipped(pair.id, source_of(pair.image), code, message)
