"""The frozen image tower: EfficientNet-Lite with its ImageNet weights.

Source: Tan and Le 2019, arXiv:1905.11946; the Lite variant drops squeeze-excite and swish.
# N = images, S = image size, F = 1280 pooled features, C = 1000 ImageNet classes
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from core.errors import TrainingError

PIXEL_MEAN = 127.5
PIXEL_STD = 127.5
"""Pixels go to [-1, 1]. ImageNet mean and std, as the package's page says, cost 3-6 points."""


class ImageTower(nn.Module):
    """uint8 pixels in, pooled features and ImageNet logits out."""

    def __init__(self, weights: Path, architecture: str = "tf_efficientnet_lite0") -> None:
        """Build the architecture and load the weights of a package's `.pth` file."""
        super().__init__()
        import timm

        self.trunk: nn.Module = timm.create_model(architecture)
        self.trunk.load_state_dict(_renamed(weights, self.trunk))
        self.eval()

    def forward(self, pixels_NSS3: Tensor) -> tuple[Tensor, Tensor]:
        """Return (N, F) features and (N, C) logits of uint8 pixels (N, S, S, 3)."""
        scaled_N3SS = (pixels_NSS3.permute(0, 3, 1, 2).float() - PIXEL_MEAN) / PIXEL_STD
        features_NF = self.trunk.forward_head(  # type: ignore[operator]  # timm has no types
            self.trunk.forward_features(scaled_N3SS),  # type: ignore[operator]
            pre_logits=True,
        )
        return features_NF, self.trunk.classifier(features_NF)  # type: ignore[operator]

    @property
    def classifier(self) -> nn.Linear:
        """The ImageNet classifier."""
        layer: nn.Linear = self.trunk.classifier  # type: ignore[assignment]  # timm has no types
        return layer

    @property
    def last_norm(self) -> tuple[Tensor, Tensor]:
        """Bias and weight (F,) of the batch norm before the last activation and the pooling."""
        norm: nn.BatchNorm2d = self.trunk.bn2  # type: ignore[assignment]  # timm has no types
        return norm.bias.detach(), norm.weight.detach()


def _renamed(weights: Path, trunk: nn.Module) -> dict[str, Tensor]:
    """Give the package's tensors timm's names: both list the same layers in the same order."""
    theirs: dict[str, Tensor] = torch.load(weights, map_location="cpu", weights_only=True)
    ours = trunk.state_dict()
    fits = len(theirs) == len(ours) and all(
        a.shape == b.shape for a, b in zip(theirs.values(), ours.values(), strict=True)
    )
    if not fits:
        raise TrainingError(f"{weights} does not hold the weights of this architecture")
    return dict(zip(ours, theirs.values(), strict=True))
