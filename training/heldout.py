"""Retrieval on held-out pairs during training, with what chance would reach.

# N = images, M = texts, Q = queries, D = embedding dim
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from core.types import FloatArray, IdArray
from training.dual_encoder import DualEncoder

KS = (1, 5, 10)
"""Cut-offs that are reported, those of the CLIP papers."""
_QUERIES_AT_ONCE = 1024


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


def first_ranks(
    queries_QD: FloatArray, gallery_ND: FloatArray, relevant: Sequence[frozenset[int]]
) -> IdArray:
    """Return for each query the rank, from 1, of its best relevant item; ties by lower index."""
    ranks: list[int] = []
    for start in range(0, len(queries_QD), _QUERIES_AT_ONCE):
        scores_QN = queries_QD[start : start + _QUERIES_AT_ONCE] @ gallery_ND.T
        orders_QN = np.argsort(-scores_QN, axis=1, kind="stable")
        for row, order_N in enumerate(orders_QN):
            hits_N = np.isin(order_N, list(relevant[start + row]))
            ranks.append(int(np.argmax(hits_N)) + 1)
    return np.array(ranks, dtype=np.int64)


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
    ranks_Q = first_ranks(queries_QD, gallery_ND, relevant)
    counts: dict[str, float] = {f"{name}_mrr": float(np.mean(1.0 / ranks_Q))}
    for k in KS:
        counts[f"{name}_hit@{k}"] = float(np.mean(ranks_Q <= k))
        chances = [chance_hit(len(items), len(gallery_ND), k) for items in relevant]
        counts[f"{name}_chance_hit@{k}"] = float(np.mean(chances))
    return counts
