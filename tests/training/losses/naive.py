"""Contrastive losses as their definitions say, with the whole matrix: references for tests.

# N = pairs, D = embedding dim, G = kinds of identity
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import log_softmax, logsigmoid, normalize


@dataclass(frozen=True, slots=True)
class Case:
    """Leaves of a loss: raw embeddings, inverse temperature, bias."""

    image_ND: Tensor
    text_ND: Tensor
    scale: Tensor
    bias: Tensor

    def fresh(self) -> Case:
        """Return the same values as new leaves."""
        leaves = (self.image_ND, self.text_ND, self.scale, self.bias)
        return Case(*(leaf.detach().clone().requires_grad_() for leaf in leaves))

    def unit(self) -> tuple[Tensor, Tensor]:
        """Return the normalised embeddings."""
        return normalize(self.image_ND), normalize(self.text_ND)

    def gradients(self) -> list[Tensor]:
        """Return the gradients of all leaves; one that a loss does not depend on is zero."""
        leaves = (self.image_ND, self.text_ND, self.scale, self.bias)
        return [torch.zeros_like(x) if x.grad is None else x.grad for x in leaves]


def random_case(
    count: int, dim: int = 6, *, seed: int = 0, dtype: torch.dtype = torch.float32
) -> Case:
    """Draw embeddings of different lengths, a scale of 20 and a bias of -5."""
    generator = torch.Generator().manual_seed(seed)
    image_ND, text_ND = 3 * torch.randn(2, count, dim, generator=generator, dtype=dtype)
    scale, bias = torch.tensor([20.0, -5.0], dtype=dtype)
    return Case(image_ND, text_ND, scale, bias).fresh()


def backward(loss: Tensor) -> Tensor:
    """Fill the gradients of the leaves and return the value."""
    loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    return loss.detach()


def shared(groups_NG: Tensor) -> Tensor:
    """Return the (N, N) mask of pairs that are equal in any column."""
    return (groups_NG[:, None] == groups_NG[None]).any(dim=2)


def positive_targets(groups_NG: Tensor, *, like: Tensor) -> Tensor:
    """Return the (N, N) targets, in the type of ``like``: row i is uniform over its positives."""
    positive_NN = shared(groups_NG).to(like.dtype)
    return positive_NN / positive_NN.sum(dim=1, keepdim=True)


def softmax_loss(case: Case, *, groups_NG: Tensor, smoothing: float = 0.0) -> Tensor:
    """Return the symmetric cross-entropy against uniform targets over positives."""
    image_ND, text_ND = case.unit()
    logits_NN = case.scale * image_ND @ text_ND.T
    target_NN = positive_targets(groups_NG, like=logits_NN)
    target_NN = (1 - smoothing) * target_NN + smoothing / len(target_NN)
    return sum(
        -(target_NN * log_softmax(matrix_NN, dim=1)).sum(dim=1).mean() / 2
        for matrix_NN in (logits_NN, logits_NN.T)
    )  # type: ignore[return-value]  # a sum of two tensors is no int


def sigmoid_loss(case: Case, *, groups_NG: Tensor) -> Tensor:
    """Return the sum over all cells of -log sigmoid(label * logit), per image."""
    image_ND, text_ND = case.unit()
    logits_NN = case.scale * image_ND @ text_ND.T + case.bias
    labels_NN = 2 * shared(groups_NG).to(logits_NN.dtype) - 1
    return -logsigmoid(labels_NN * logits_NN).sum() / len(logits_NN)
