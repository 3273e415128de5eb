"""How well embeddings find pictures by text: hit@k on the held-out sets.

# N = images, M = texts, D = embedding dim
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

KS = (1, 5, 10)


def hit_rates(
    texts_MD: Tensor, images_ND: Tensor, relevant: Sequence[frozenset[int]]
) -> dict[str, float]:
    """Return text-to-image hit@1, 5 and 10 in [0, 1]; embeddings are unit vectors."""
    scores_MN = texts_MD @ images_ND.T
    best_M = torch.stack(
        [row_N[sorted(found)].max() for row_N, found in zip(scores_MN, relevant, strict=True)]
    )
    ranks_M = 1 + (scores_MN > best_M[:, None]).sum(dim=1).numpy()
    return {f"hit@{k}": float(np.mean(ranks_M <= k)) for k in KS}


def relevant_by_caption(captions: Sequence[str]) -> tuple[list[str], list[frozenset[int]]]:
    """Return the distinct captions and, for each, the images that have it."""
    texts = list(dict.fromkeys(captions))
    found: dict[str, set[int]] = {text: set() for text in texts}
    for image, caption in enumerate(captions):
        found[caption].add(image)
    return texts, [frozenset(found[text]) for text in texts]


def best_logit_scale(cosines_NM: Tensor, labels_N: Tensor, *, low: float, high: float) -> float:
    """Return the scale in [low, high] whose softmax over the texts has the least cross-entropy.

    Source: temperature scaling, Guo et al. 2017, arXiv:1706.04599, section 4.2.
    """
    scales = torch.logspace(np.log10(low), np.log10(high), 200).tolist()
    losses = [
        float(torch.nn.functional.cross_entropy(scale * cosines_NM, labels_N)) for scale in scales
    ]
    return float(scales[int(np.argmin(losses))])
