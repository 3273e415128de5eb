"""Evaluation of cross-modal retrieval: captions find images, or images find captions.

Relevance is a set. An image has all its captions, and a caption that several images share makes
all of those relevant. The headline is the macro mean over queries; a query without a relevant item
in the gallery (its image could not be decoded, or it has no caption) is left out and counted.

# C = captions, D = embedding dimension
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from core.errors import PairsError, UsageError
from core.pairs.captions import identity_of
from core.pairs.pair import Pair
from core.progress import ProgressFactory, silent
from core.types import FloatArray
from encoders.encoder import Encoder
from evaluation.images import EmbeddedImages, FailedImage, embed_images
from evaluation.provenance import Provenance, provenance
from evaluation.retrieval_scores import (
    DEFAULT_KS,
    RetrievalScores,
    RetrievalTask,
    check_ks,
    score_retrieval,
)

Direction = Literal["text_to_image", "image_to_text"]
DIRECTIONS: tuple[Direction, ...] = ("text_to_image", "image_to_text")

_TEXTS_PER_CALL = 512


@dataclass(frozen=True, slots=True)
class RetrievalReport:
    """One retrieval evaluation; ``evaluation.report`` writes it."""

    direction: Direction
    ks_requested: tuple[int, ...]
    pairs: int
    """Pairs of the data, the ones with bad images too."""
    captions: int
    scores: RetrievalScores
    failed: tuple[FailedImage, ...]
    provenance: Provenance


def evaluate_retrieval(
    encoder: Encoder,
    pairs: Sequence[Pair],
    *,
    ks: Sequence[int] = DEFAULT_KS,
    direction: Direction = "text_to_image",
    progress: ProgressFactory = silent,
) -> RetrievalReport:
    """Embed the pairs and score every query against the whole gallery, exactly.

    Raises:
        UsageError: a k below 1, or an unknown direction.
        PairsError: no pair has both a caption and an image that can be decoded.
        EncoderError: the model fails.
    """
    check_ks(ks)
    if direction not in DIRECTIONS:
        raise UsageError(f"direction = {direction!r}: expected {' or '.join(DIRECTIONS)}")
    captions = [(place, text) for place, pair in enumerate(pairs) for text in pair.captions]
    if not captions:
        raise PairsError(
            "no pair has a caption, so there is nothing to search with; for folders of classes "
            "use: sightline evaluate zeroshot"
        )
    images = embed_images(encoder, [pair.image for pair in pairs], progress=progress)
    captions_CD = _embed_captions(encoder, [text for _, text in captions], progress)
    task = _task(pairs, images, captions, captions_CD, direction)
    return RetrievalReport(
        direction=direction,
        ks_requested=tuple(ks),
        pairs=len(pairs),
        captions=len(captions),
        scores=score_retrieval(task, ks=ks),
        failed=images.failed,
        provenance=provenance(encoder, pairs, images.digests_N),
    )


def _task(
    pairs: Sequence[Pair],
    images: EmbeddedImages,
    captions: Sequence[tuple[int, str]],
    captions_CD: FloatArray,
    direction: Direction,
) -> RetrievalTask:
    """Lay out queries, gallery and relevance sets for one direction."""
    image_ids = tuple(pairs[place].id for place in images.places_G)
    caption_ids = _caption_ids(pairs)
    texts = tuple(text for _, text in captions)
    by_caption, by_image = _relevance(images.places_G, captions)
    if direction == "text_to_image":
        return RetrievalTask(
            caption_ids, texts, captions_CD, image_ids, images.embeddings_GD, by_caption
        )
    no_texts = ("",) * len(image_ids)
    return RetrievalTask(
        image_ids, no_texts, images.embeddings_GD, caption_ids, captions_CD, by_image
    )


def _relevance(
    image_places: Sequence[int], captions: Sequence[tuple[int, str]]
) -> tuple[tuple[tuple[int, ...], ...], tuple[tuple[int, ...], ...]]:
    """Return the images relevant to each caption, and the captions relevant to each image."""
    column_of_place = {place: column for column, place in enumerate(image_places)}
    images_of_text: dict[str, set[int]] = defaultdict(set)
    for place, text in captions:
        if place in column_of_place:
            images_of_text[identity_of(text)].add(column_of_place[place])
    by_caption = tuple(tuple(sorted(images_of_text[identity_of(text)])) for _, text in captions)
    captions_of_image: list[list[int]] = [[] for _ in image_places]
    for caption, columns in enumerate(by_caption):
        for column in columns:
            captions_of_image[column].append(caption)
    return by_caption, tuple(tuple(item) for item in captions_of_image)


def _caption_ids(pairs: Sequence[Pair]) -> tuple[str, ...]:
    return tuple(f"{pair.id}#{number}" for pair in pairs for number in range(len(pair.captions)))


def _embed_captions(
    encoder: Encoder, texts: Sequence[str], progress: ProgressFactory
) -> FloatArray:
    """Return one embedding per caption; texts that occur twice are embedded once."""
    rows = {text: row for row, text in enumerate(dict.fromkeys(texts))}
    unique = list(rows)
    parts: list[FloatArray] = []
    with progress("embed captions", total=len(unique), unit="captions") as shown:
        for start in range(0, len(unique), _TEXTS_PER_CALL):
            parts.append(encoder.encode_texts(unique[start : start + _TEXTS_PER_CALL]))
            shown.advance(len(parts[-1]))
    return np.concatenate(parts)[[rows[text] for text in texts]]
