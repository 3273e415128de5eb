"""Patch dropout: a training step sees part of the patches of each picture.

# B = pictures, T = tokens of a picture, K = tokens kept, W = width of a token
"""

from __future__ import annotations

from typing import Any

import torch
from open_clip.transformer import VisionTransformer
from torch import Tensor, nn

from core.errors import ConfigError


class PatchDropout(nn.Module):
    """Keeps a random part of the patches of each picture while training, and all in evaluation.

    It draws from torch's default generator of the device the tokens are on, so that a step that
    seeds with ``torch.manual_seed`` decides which patches stay, also when it is run twice.

    Source: Li et al. 2022 (FLIP), arXiv:2212.00794, section 3.
    """

    def __init__(self, rate: float, *, prefix_tokens: int) -> None:
        """Leave out ``rate`` of the patches; the first ``prefix_tokens`` are none and all stay."""
        super().__init__()
        self.rate = rate
        self.prefix_tokens = prefix_tokens

    def forward(self, tokens_BTW: Tensor) -> Tensor:
        """Return the (B, K, W) tokens that stay, at least one patch among them."""
        if not self.training:
            return tokens_BTW
        prefix, patches = tokens_BTW.tensor_split([self.prefix_tokens], dim=1)
        batch, count, width = patches.shape
        kept = max(1, int(count * (1 - self.rate)))
        order_BT = torch.rand(batch, count, device=patches.device).argsort(dim=1)
        index = order_BT[:, :kept, None].expand(-1, -1, width)
        return torch.cat([prefix, patches.gather(1, index)], dim=1)


def set_patch_dropout(model: nn.Module, rate: float) -> None:
    """Give the image tower of a built open_clip model a rate of patch dropout.

    Raises:
        ConfigError: the image tower is no vision transformer, of open_clip or of timm.
    """
    from timm.models.vision_transformer import VisionTransformer as TimmVisionTransformer

    visual: Any = getattr(model, "visual", None)
    if isinstance(visual, VisionTransformer):
        visual.patch_dropout = PatchDropout(rate, prefix_tokens=1)
        return
    trunk: Any = getattr(visual, "trunk", None)
    if isinstance(trunk, TimmVisionTransformer):
        dropout = PatchDropout(rate, prefix_tokens=trunk.num_prefix_tokens)
        trunk.add_module("patch_drop", dropout)
        return
    kind = type(trunk if trunk is not None else visual).__name__
    raise ConfigError(
        f"towers.image.patch_dropout = {rate:g}: only vision transformers have patches to leave "
        f"out, the image tower is a {kind}; remove it"
    )
