"""Pairs as vectors: all that an evaluation needs, so that it can go on without a model.

# G = images that could be decoded, C = captions, D = embedding dimension
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from core.pairs.pair import Pair
from core.progress import ProgressFactory, silent
from core.types import FloatArray
from encoders.encoder import Encoder
from evaluation.images import EmbeddedImages, embed_images
from evaluation.prompts import Prompts, embed_prompts
from evaluation.provenance import Provenance, provenance
from zeroshot.labels import Label
from zeroshot.templates import TemplateSet

_TEXTS_PER_CALL = 512


@dataclass(frozen=True, slots=True)
class Embeddings:
    """The pairs of a data set and their vectors; written and read by ``embeddings_file``."""

    pairs: tuple[Pair, ...]
    """All of them, the ones with bad images too."""
    images: EmbeddedImages
    captions_CD: FloatArray
    """One row per caption, in order of the pairs and of their captions."""
    prompts: Prompts | None
    """Labels in templates; ``None`` where the data has no labels and none were named."""
    provenance: Provenance
    skipped: Mapping[str, str] = field(default_factory=dict)
    """Places of the source that hold no usable pair, and why."""

    @property
    def captions(self) -> list[tuple[int, str]]:
        """Return (place of the pair, text) of each row of ``captions_CD``."""
        return [(place, text) for place, pair in enumerate(self.pairs) for text in pair.captions]

    @property
    def caption_ids(self) -> tuple[str, ...]:
        """Return the id of each row of ``captions_CD``: the pair's, ``#`` and a number from 0."""
        return tuple(
            f"{pair.id}#{number}" for pair in self.pairs for number in range(len(pair.captions))
        )

    @property
    def image_ids(self) -> tuple[str, ...]:
        """Return the id of each row of ``images.embeddings_GD``."""
        return tuple(self.pairs[place].id for place in self.images.places_G)


def embed_pairs(
    encoder: Encoder,
    pairs: Sequence[Pair],
    *,
    labels: Sequence[str | Label] = (),
    templates: TemplateSet | None = None,
    skipped: Mapping[str, str] | None = None,
    crops: int = 1,
    progress: ProgressFactory = silent,
) -> Embeddings:
    """Embed the images and captions of pairs, and every label in every template.

    Args:
        encoder: the model.
        pairs: a bad image among them is recorded and harms no other.
        labels: classes to embed; none for retrieval alone.
        templates: prompts for the labels, by default ``imagenet7``.
        skipped: what the reader of the pairs left out, to be kept with them.
        crops: views of each image to average: 1, 5 or 10.
        progress: shows how far it is.

    Raises:
        LabelSetError: the labels cannot be used.
        EncoderError: the model fails.
    """
    prompts = embed_prompts(encoder, labels, templates) if labels else None
    images = embed_images(encoder, [pair.image for pair in pairs], crops=crops, progress=progress)
    texts = [text for pair in pairs for text in pair.captions]
    return Embeddings(
        pairs=tuple(pairs),
        images=images,
        captions_CD=embed_texts(encoder, texts, progress=progress),
        prompts=prompts,
        provenance=dataclasses.replace(provenance(encoder, pairs, images.digests_N), crops=crops),
        skipped=dict(skipped or {}),
    )


def embed_texts(
    encoder: Encoder, texts: Sequence[str], *, progress: ProgressFactory = silent
) -> FloatArray:
    """Return one embedding per text, (N, D); texts that occur twice are embedded once.

    Raises:
        EncoderError: the model fails.
    """
    rows = {text: row for row, text in enumerate(dict.fromkeys(texts))}
    unique = list(rows)
    if not unique:
        return np.empty((0, encoder.dim), np.float32)
    parts: list[FloatArray] = []
    with progress("embed captions", total=len(unique), unit="captions") as shown:
        for start in range(0, len(unique), _TEXTS_PER_CALL):
            parts.append(encoder.encode_texts(unique[start : start + _TEXTS_PER_CALL]))
            shown.advance(len(parts[-1]))
    embeddings_ND: FloatArray = np.concatenate(parts)[[rows[text] for text in texts]]
    return embeddings_ND
