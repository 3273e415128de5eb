"""The contract of a trainable model: two towers and a learned temperature.

# B = pairs of the batch, D = embedding dim
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from core.errors import TrainingError


class DualEncoder(nn.Module):
    """What the trainer needs of a model; open_clip's models fit it without inheriting.

    ``encode_image`` and ``encode_text`` return (B, D) embeddings that need not be normalised.
    ``logit_scale`` is a float32 parameter of zero axes that holds the *logarithm* of the inverse
    temperature. ``logit_bias`` is optional and, being the same for every pair of a softmax, gets
    no gradient.
    """

    logit_scale: nn.Parameter

    def encode_image(self, image: Tensor) -> Tensor:
        """Return the (B, D) embeddings of images."""
        raise NotImplementedError

    def encode_text(self, text: Tensor) -> Tensor:
        """Return the (B, D) embeddings of texts."""
        raise NotImplementedError


def as_dual_encoder(model: nn.Module) -> DualEncoder:
    """Check that a module keeps the contract and return it under that type.

    Raises:
        TrainingError: a method or the temperature is missing or of the wrong kind.
    """
    for method in ("encode_image", "encode_text"):
        if not callable(getattr(model, method, None)):
            raise TrainingError(f"{type(model).__name__} has no method {method}(batch)")
    scale = getattr(model, "logit_scale", None)
    if not isinstance(scale, nn.Parameter) or scale.ndim != 0 or scale.dtype != torch.float32:
        raise TrainingError(
            f"{type(model).__name__}.logit_scale must be a float32 nn.Parameter of zero axes "
            "that holds the log of the inverse temperature"
        )
    return cast("DualEncoder", model)
