"""Retrieval on held-out pairs during training, with what chance would reach.

# N = images, M = texts, Q = queries, D = embedding dim, R = relevant items of a query
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from core.types import FloatArray
from evaluation.metrics import hit_at_k, reciprocal_rank
from evaluation.ranking import relevant_ranks, score_rows
from training.dual_encoder import DualEncoder

KS = (1, 5, 10)
"""Cut-offs that are reported, those of the CLIP papers."""


class HeldOut(Protocol):
    """The seam of evaluation during training."""

    @property
    def relevant(self) -> Sequence[frozenset[int]]:
        """For each text, the indices of the images it describes; none is empty."""
        ...

    def image_batches(self, size: int) -> Iterator[Tensor]:
        """Yield the images in order, at most ``size`` at a time, without augmentation."""
        ...

    def text_batches(self, size: int) -> Iterator[Tensor]:
        """Yield the texts in order, at most ``size`` at a time."""
        ...


@torch.no_grad()
def evaluate(
    model: DualEncoder, heldout: HeldOut, *, batch_size: int, device: torch.device
) -> dict[str, float]:
    """Return hit@k and MRR in both directions, and ``chance_...`` for each hit@k.

    Keys are ``text_to_image_hit@1`` and so on; ``mean_mrr`` and ``mean_hit@k`` average the two
    directions. The model is in eval mode during the call and left in the mode it was in.
    """
    was_training = model.training
    model.eval()
    try:
        images_ND = _embed(model.encode_image, heldout.image_batches(batch_size), device)
        texts_MD = _embed(model.encode_text, heldout.text_batches(batch_size), device)
    finally:
        model.train(was_training)
    images_of_text = heldout.relevant
    texts_of_image = inverted(images_of_text, num_images=len(images_ND))
    # An image that no text describes is a distractor: it is searched, but is no query.
    described = [index for index, texts in enumerate(texts_of_image) if texts]
    results = {
        **_direction("text_to_image", texts_MD, images_ND, images_of_text),
        **_direction(
            "image_to_text", images_ND[described], texts_MD, [texts_of_image[i] for i in described]
        ),
    }
    for name in ("mrr", *(f"hit@{k}" for k in KS)):
        both = (results[f"text_to_image_{name}"], results[f"image_to_text_{name}"])
        results[f"mean_{name}"] = sum(both) / 2
    return results


def inverted(relevant: Sequence[frozenset[int]], *, num_images: int) -> list[frozenset[int]]:
    """Return for each image the texts that describe it."""
    texts_of_image: list[set[int]] = [set() for _ in range(num_images)]
    for text, images in enumerate(relevant):
        for image in images:
            texts_of_image[image].add(text)
    return [frozenset(texts) for texts in texts_of_image]


def chance_hit(num_relevant: int, num_items: int, k: int) -> float:
    """Return the probability that a random order has a relevant item among its first k.

    It is 1 - C(N - R, k) / C(N, k) for R relevant of N items.
    """
    k = min(k, num_items)
    return 1.0 - math.comb(num_items - num_relevant, k) / math.comb(num_items, k)


def _embed(encode: object, batches: Iterator[Tensor], device: torch.device) -> FloatArray:
    assert callable(encode)
    parts = [
        torch.nn.functional.normalize(encode(batch.to(device)).float(), dim=-1).cpu()
        for batch in batches
    ]
    return torch.cat(parts).numpy()


def _direction(
    name: str, queries_QD: FloatArray, gallery_ND: FloatArray, relevant: Sequence[frozenset[int]]
) -> dict[str, float]:
    places_N = np.arange(len(gallery_ND))
    ranks_Q = [
        relevant_ranks(scores_N, places_N, sorted(items))
        for scores_N, items in zip(score_rows(queries_QD, gallery_ND), relevant, strict=True)
    ]
    values = {f"{name}_mrr": float(np.mean([reciprocal_rank(ranks_R) for ranks_R in ranks_Q]))}
    for k in KS:
        values[f"{name}_hit@{k}"] = float(np.mean([hit_at_k(ranks_R, k) for ranks_R in ranks_Q]))
        chances = [chance_hit(len(items), len(gallery_ND), k) for items in relevant]
        values[f"{name}_chance_hit@{k}"] = float(np.mean(chances))
    return values
