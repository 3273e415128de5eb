"""Stand-ins for photographs: features of the ImageNet classes from the classifier's weights.

A head trained on drawings alone forgets photographs, and no photographs are at hand. But the tower
remembers them. The batch norm before the pooling knows the mean of every feature over ImageNet,
and in a trained network the class means lie along the classifier's rows (neural collapse: Papyan,
Han and Donoho 2020, arXiv:2008.08186). So a photograph of class c is near mean + s (w_c - mean w).

# C = classes, F = features, R = residuals
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from training.ranges import check_positive, check_range

SAMPLES = 20_000
MAX_ACTIVATION = 6.0
"""The tower's activation is ReLU6."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrototypeConfig:
    """How many stand-ins there are and how they spread."""

    copies: int = 4
    """Rows per class and epoch, each with other noise."""
    distance: float = 4.0
    """Mean length of the step from the mean to a class; at 4 the classifier is 83 % sure."""
    noise: float = 0.7
    """Weight of the residual of a random training picture, which is added."""

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        check_range("prototypes.copies", self.copies, low=0)
        check_positive("prototypes.distance", self.distance)
        check_range("prototypes.noise", self.noise, low=0)


def mean_activation(shift_F: Tensor, scale_F: Tensor, *, seed: int = 0) -> Tensor:
    """Return the mean of ReLU6 of a normal variable per feature, by sampling.

    Args:
        shift_F: bias of the batch norm, which is the mean of what it puts out.
        scale_F: weight of the batch norm, the standard deviation of what it puts out.
        seed: of the samples.
    """
    generator = torch.Generator().manual_seed(seed)
    noise_S1 = torch.randn(SAMPLES, 1, generator=generator)
    return (shift_F + scale_F.abs() * noise_S1).clamp(0.0, MAX_ACTIVATION).mean(dim=0)


def class_prototypes(mean_F: Tensor, classifier_CF: Tensor, *, distance: float) -> Tensor:
    """Return the (C, F) stand-ins, whose mean length from ``mean_F`` is ``distance``."""
    centred_CF = classifier_CF - classifier_CF.mean(dim=0)
    length: Tensor = torch.linalg.vector_norm(centred_CF, dim=1).mean()
    return mean_F + centred_CF * (distance / length)
