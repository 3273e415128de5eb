"""A loss over all pairs of images and texts, and its exact gradients, without the whole matrix.

Forward and backward each pass once over tiles of the logits; the backward pass computes them again.
Memory is that of a few tiles and of the embeddings.

# B = pairs of this rank, N = pairs of all ranks, T = rows of a tile, D = embedding dim
"""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from training.losses.tiles import Logits


class Objective(Protocol):
    """What is summed over the logits; one object serves one forward and its backward pass.

    It sees this rank's rows. Sums over ranks of ``total`` and of the gradients are those of the
    whole batch.
    """

    denominator: float

    def see(self, logits_TN: Tensor, rows: slice) -> None:
        """Take in a tile of the forward pass; the logits may be overwritten."""
        ...

    def total(self) -> Tensor:
        """Return this rank's share of the sum after the last tile, a float64 scalar."""
        ...

    def gradient(self, logits_TN: Tensor, rows: slice) -> Tensor:
        """Return the (T, N) gradient of the whole sum in the logits, which may be overwritten."""
        ...


def tiled_loss(logits: Logits, objective: Objective) -> Tensor:
    """Return the objective's share over its denominator, differentiable in what makes the logits.

    Double backward is not supported.
    """
    loss: Tensor = _TiledLoss.apply(
        logits.image_BD, logits.text_ND, logits.scale, logits.bias, logits.tile_rows, objective
    )
    return loss


class _TiledLoss(torch.autograd.Function):
    @staticmethod
    def forward(  # noqa: PLR0917 - autograd passes by position
        ctx: Any,
        image_BD: Tensor,
        text_ND: Tensor,
        scale: Tensor,
        bias: Tensor | None,
        tile_rows: int,
        objective: Objective,
    ) -> Tensor:
        """Show every tile to the objective and return its share."""
        ctx.save_for_backward(image_BD, text_ND, scale, bias)
        ctx.objective, ctx.tile_rows = objective, tile_rows
        for rows, logits_TN in Logits(image_BD, text_ND, scale, bias, tile_rows).tiles():
            objective.see(logits_TN, rows)
        return (objective.total() / objective.denominator).to(image_BD.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        """Compute the tiles again and return the gradients in the order of the arguments."""
        image_BD, text_ND, scale, bias = ctx.saved_tensors
        pulled_BD, text_grad_ND = torch.empty_like(image_BD), torch.zeros_like(text_ND)
        bias_grad = torch.zeros_like(scale)
        # The caller may be inside autocast, which must not touch these products either.
        with torch.autocast(image_BD.device.type, enabled=False):
            for rows, logits_TN in Logits(image_BD, text_ND, scale, bias, ctx.tile_rows).tiles():
                grad_TN = ctx.objective.gradient(logits_TN, rows)
                torch.mm(grad_TN, text_ND, out=pulled_BD[rows])
                text_grad_ND.addmm_(grad_TN.T, image_BD[rows])
                bias_grad += grad_TN.sum() if bias is not None else 0
        factor = grad / ctx.objective.denominator
        scale_grad = (image_BD * pulled_BD).sum() * factor
        pulled_BD.mul_(scale * factor)
        text_grad_ND.mul_(scale * factor)
        bias_grad_or_none = bias_grad * factor if bias is not None else None
        return pulled_BD, text_grad_ND, scale_grad, bias_grad_or_none, None, None
