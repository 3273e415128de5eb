"""Batch norm whose running statistics do not move, also after ``model.train()``."""

from __future__ import annotations

from typing import Any, cast

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


class _StaysInEvaluation(nn.Module):
    """A module that cannot be put into training mode."""

    def train(self, mode: bool = True) -> Any:  # noqa: FBT001, FBT002 - torch's signature
        """Stay in evaluation mode, whatever is asked for."""
        del mode
        return super().train(mode=False)


def freeze_batch_norm(module: nn.Module, *, affine: bool = False) -> int:
    """Keep every batch norm inside ``module`` in evaluation mode for good; return how many.

    The running statistics are then used and never changed, so they stay byte-identical: what
    GradCache (two passes over chunks), locked towers and several processes need. Names and types
    of the state are untouched, and freezing twice is the same as once.

    Args:
        module: is changed in place; may itself be a batch norm.
        affine: also stop the learning of weight and bias.
    """
    norms = [inner for inner in module.modules() if isinstance(inner, _BatchNorm)]
    for norm in norms:
        if not isinstance(norm, _StaysInEvaluation):
            cast("Any", norm).__class__ = _frozen_class(type(norm))
        norm.eval()
        if affine:
            norm.requires_grad_(requires_grad=False)
    return len(norms)


def has_batch_norm(module: nn.Module) -> bool:
    """Return whether ``module`` holds a batch norm whose statistics move while it is trained."""
    return any(
        isinstance(inner, _BatchNorm) and not isinstance(inner, _StaysInEvaluation)
        for inner in module.modules()
    )


def _frozen_class(kind: type[nn.Module]) -> type[nn.Module]:
    """Return ``kind`` with a training mode that does nothing; subclasses keep their behaviour."""
    return type(f"Frozen{kind.__name__}", (_StaysInEvaluation, kind), {})
