"""Retrieval and zero-shot labels on held-out pairs during training, and what chance would reach.

# N = images, M = texts, Q = queries, D = embedding dim, R = relevant items of a query
# P = prompts, C = classes
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal, Protocol

import numpy as np
import torch
from torch import Tensor

from core.errors import ConfigError
from core.measures.metrics import hit_at_k, reciprocal_rank
from core.types import FloatArray
from evaluation.exact_search import exact_ranks
from training.towers.forward import TwoTowers
from training.zero_shot import LabelTask, class_vectors, zero_shot_metrics

BestMetric = Literal["mrr", "hit@1", "hit@5", "hit@10", "zero_shot_accuracy"]
"""Which metric decides that weights are the best; the first four are means of both directions."""

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
    towers: TwoTowers,
    heldout: HeldOut,
    *,
    batch_size: int,
    device: torch.device,
    labels: LabelTask | None = None,
) -> dict[str, float]:
    """Return hit@k and MRR in both directions, and ``chance_...`` for each hit@k.

    Keys are ``text_to_image_hit@1`` and so on; ``mean_mrr`` and ``mean_hit@k`` average the two
    directions. With ``labels`` there is ``zero_shot_accuracy`` and what else
    ``zero_shot_metrics`` gives, on the same embeddings of the images. The towers are in eval mode
    during the call and left in the mode they were in. At most a tile of scores is in memory.
    """
    was_training = towers.training
    towers.eval()
    try:
        images_ND = _embed(towers.images, heldout.image_batches(batch_size), device)
        texts_MD = _embed(towers.texts, heldout.text_batches(batch_size), device)
        results = _retrieval(images_ND, texts_MD, heldout.relevant)
        if labels is not None:
            prompts_PD = _embed(towers.texts, labels.prompt_batches(batch_size), device)
            classes_CD = class_vectors(prompts_PD, num_classes=len(labels.classes))
            results |= zero_shot_metrics(images_ND, classes_CD, labels.truth_N)
    finally:
        towers.train(was_training)
    return results


def chosen_value(metrics: Mapping[str, float], best_metric: BestMetric) -> float:
    """Return the metric that decides which weights are best.

    Raises:
        ConfigError: it was not measured, because the held-out pairs have no labels.
    """
    name = best_metric if best_metric == "zero_shot_accuracy" else f"mean_{best_metric}"
    if name not in metrics:
        raise ConfigError(
            f"run.best_metric = {best_metric}, but the held-out pairs have fewer than two labels; "
            "give them a column 'label' or a folder per class, or use run.best_metric = mrr"
        )
    return metrics[name]


def _retrieval(
    images_ND: FloatArray, texts_MD: FloatArray, images_of_text: Sequence[frozenset[int]]
) -> dict[str, float]:
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


def _embed(
    encode: Callable[[Tensor], Tensor], batches: Iterator[Tensor], device: torch.device
) -> FloatArray:
    parts = [
        torch.nn.functional.normalize(encode(batch.to(device)).float(), dim=-1).cpu()
        for batch in batches
    ]
    embeddings_ND: FloatArray = torch.cat(parts).numpy()
    return embeddings_ND


def _direction(
    name: str, queries_QD: FloatArray, gallery_ND: FloatArray, relevant: Sequence[frozenset[int]]
) -> dict[str, float]:
    # Items that tie are in the order of the gallery: these ids sort as their places do.
    ids = [f"{place:012}" for place in range(len(gallery_ND))]
    found = exact_ranks(queries_QD, gallery_ND, ids, [sorted(items) for items in relevant])
    ranks_Q = [np.array(ranks, np.int64) for ranks in found.judged.per_query()]
    values = {f"{name}_mrr": float(np.mean([reciprocal_rank(ranks_R) for ranks_R in ranks_Q]))}
    for k in KS:
        values[f"{name}_hit@{k}"] = float(np.mean([hit_at_k(ranks_R, k) for ranks_R in ranks_Q]))
        chances = [chance_hit(len(items), len(gallery_ND), k) for items in relevant]
        values[f"{name}_chance_hit@{k}"] = float(np.mean(chances))
    return values
