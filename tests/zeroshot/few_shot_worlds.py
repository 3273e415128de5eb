"""Small worlds of image embeddings with labels, for the tests of fitted things.

# N = images, C = labels, D = embedding dimension
"""

from __future__ import annotations

import numpy as np

from core.types import FloatArray, IdArray
from zeroshot.classifier import Classifier
from zeroshot.few_shot import Examples

LABELS = ("cat", "dog", "bird")
DIM = 12


def unit(vectors: object) -> FloatArray:
    """Return rows of length 1 as float32."""
    vectors_ND = np.asarray(vectors, np.float64)
    return (vectors_ND / np.linalg.norm(vectors_ND, axis=1, keepdims=True)).astype(np.float32)


def classifier(*, scale: float = 20.0, background: frozenset[int] = frozenset()) -> Classifier:
    """Return labels on the first three axes."""
    return Classifier(
        labels=LABELS,
        matrix_CD=np.eye(DIM, dtype=np.float32)[:3],
        background_BD=np.eye(DIM, dtype=np.float32)[-1:],
        logit_scale=scale,
        logit_bias=0.0,
        encoder_id="fa4e000000000001",
        template_digest="",
        background=background,
    )


def pictures(
    shots: tuple[int, ...] = (8, 8, 8), *, shift: float = 1.5, noise: float = 0.5, seed: int = 0
) -> Examples:
    """Return pictures whose labels lie away from their texts: ``shift`` along axes 3 to 5.

    With a large shift the texts know little and examples help; with 0 the texts are right.
    """
    generator = np.random.default_rng(seed)
    labels_K: IdArray = np.repeat(np.arange(len(shots)), shots)
    vectors_KD = noise * generator.standard_normal((len(labels_K), DIM))
    vectors_KD[np.arange(len(labels_K)), labels_K] += 0.4
    vectors_KD[np.arange(len(labels_K)), labels_K + 3] += shift
    return Examples(unit(vectors_KD), labels_K)
