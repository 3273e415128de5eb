"""AdamW with the parameter groups of contrastive training."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from core.errors import TrainingError
from training.ranges import check_positive, check_range

NO_DECAY_NAMES = ("logit_scale", "logit_bias", "positional_embedding", "class_embedding")


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimiserConfig:
    """AdamW and its limits."""

    learning_rate: float = 5e-4
    """Peak learning rate; 5e-4 is what CLIP used for ViT-B/32 from scratch. Fine-tune at 1e-5."""
    beta1: float = 0.9
    """Decay of the running mean of the gradient, per step."""
    beta2: float = 0.98
    """Decay of the running mean of its square, per step; CLIP's value for transformers."""
    eps: float = 1e-6
    """Added to the root of the second moment; CLIP's value for transformers."""
    weight_decay: float = 0.2
    """Decoupled decay of weight matrices, times the learning rate; CLIP's value."""
    max_grad_norm: float = 1.0
    """L2 norm of all gradients together above which they are scaled down; 0 switches it off."""

    def __post_init__(self) -> None:
        """Refuse values with which AdamW cannot work."""
        check_positive("optimiser.learning_rate", self.learning_rate)
        check_range("optimiser.beta1", self.beta1, low=0, high=0.99999)
        check_range("optimiser.beta2", self.beta2, low=0, high=0.99999)
        check_positive("optimiser.eps", self.eps)
        check_range("optimiser.weight_decay", self.weight_decay, low=0)
        check_range("optimiser.max_grad_norm", self.max_grad_norm, low=0)


def is_decayed(name: str, parameter: Tensor) -> bool:
    """Return whether weight decay applies to a parameter.

    Vectors and scalars (biases, norms, temperature) and the learned position and class embeddings
    are scales and offsets: shrinking them shrinks no function, it only fights the loss.
    """
    if parameter.ndim < 2:  # noqa: PLR2004 - the number of axes of a matrix
        return False
    return not any(part in name for part in NO_DECAY_NAMES)


def parameter_groups(
    named_parameters: Iterable[tuple[str, nn.Parameter]], *, weight_decay: float
) -> list[dict[str, object]]:
    """Split the trainable parameters into a decayed and an undecayed group.

    Each group carries ``param_names`` in the order of its parameters, for checkpoints.

    Raises:
        TrainingError: nothing is trainable.
    """
    trainable = [(name, value) for name, value in named_parameters if value.requires_grad]
    if not trainable:
        raise TrainingError("the model has no trainable parameter; unlock at least one tower")
    groups: list[dict[str, object]] = []
    for decayed in (True, False):
        chosen = [(name, value) for name, value in trainable if is_decayed(name, value) == decayed]
        if chosen:
            groups.append(
                {
                    "params": [value for _, value in chosen],
                    "param_names": [name for name, _ in chosen],
                    "weight_decay": weight_decay if decayed else 0.0,
                }
            )
    return groups


def build_optimiser(model: nn.Module, config: OptimiserConfig) -> torch.optim.AdamW:
    """Return AdamW over the trainable parameters of ``model``.

    Raises:
        TrainingError: nothing is trainable.
    """
    groups = parameter_groups(model.named_parameters(), weight_decay=config.weight_decay)
    return torch.optim.AdamW(
        groups,
        lr=config.learning_rate,
        betas=(config.beta1, config.beta2),
        eps=config.eps,
        fused=True,
    )


def set_learning_rate(optimiser: torch.optim.Optimizer, learning_rate: float) -> None:
    """Give every parameter group the learning rate of the coming step."""
    for group in optimiser.param_groups:
        group["lr"] = learning_rate
