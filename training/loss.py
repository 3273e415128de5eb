"""Symmetric InfoNCE with several positives, and the rules of the learned temperature.

# B = pairs of the batch, D = embedding dim, G = kinds of identity (image, caption)
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

INITIAL_LOG_SCALE = math.log(1 / 0.07)
"""Start of the log temperature parameter (Radford et al. 2021, section 2.5)."""
MAX_LOG_SCALE = math.log(100)
"""Upper clamp of the log temperature parameter: logits are scaled by at most 100 (same source)."""


def clip_loss(
    image_BD: Tensor, text_BD: Tensor, logit_scale: Tensor, *, groups_BG: Tensor | None = None
) -> Tensor:
    """Return the symmetric cross-entropy over in-batch negatives, in nats, computed in float32.

    Args:
        image_BD: L2-normalised; row i is the pair of row i of ``text_BD``.
        text_BD: L2-normalised.
        logit_scale: scalar, already exponentiated (exp of the parameter), above 0.
        groups_BG: identities of each pair; pairs that share one are positives of each other and
            the target is uniform over them. ``None``: all pairs are distinct.

    Raises:
        ValueError: the shapes do not fit together.

    Source: Radford et al. 2021, arXiv:2103.00020, figure 3; several positives as in Khosla et al.
    2020, arXiv:2004.11362, equation 2.
    """
    if image_BD.shape != text_BD.shape:
        raise ValueError(f"images {tuple(image_BD.shape)} and texts {tuple(text_BD.shape)} differ")
    # bfloat16 logits near 100 move in steps of 0.5, so autocast must not touch this matmul.
    with torch.autocast(image_BD.device.type, enabled=False):
        logits_BB = logit_scale.float() * image_BD.float() @ text_BD.float().T
        targets_BB = positive_targets(groups_BG, like=logits_BB)
        image_loss = -(targets_BB * logits_BB.log_softmax(dim=1)).sum(dim=1).mean()
        text_loss = -(targets_BB * logits_BB.T.log_softmax(dim=1)).sum(dim=1).mean()
        return (image_loss + text_loss) / 2


def positive_targets(groups_BG: Tensor | None, *, like: Tensor) -> Tensor:
    """Return the (B, B) target distribution: row i is uniform over the pairs like pair i.

    Sharing an identity is symmetric, so the same rows serve both directions of the loss.

    Raises:
        ValueError: ``groups_BG`` does not have one row per pair.
    """
    size = len(like)
    if groups_BG is None:
        return torch.eye(size, dtype=like.dtype, device=like.device)
    if groups_BG.ndim != 2 or len(groups_BG) != size:  # noqa: PLR2004 - axes B and G
        raise ValueError(f"groups have shape {tuple(groups_BG.shape)}, expected ({size}, G)")
    shared_BB = (groups_BG[:, None, :] == groups_BG[None, :, :]).any(dim=2).to(like.dtype)
    return shared_BB / shared_BB.sum(dim=1, keepdim=True)


def clamp_temperature(logit_scale: Tensor) -> None:
    """Clamp the log temperature parameter to [0, ln 100] in place; call it after the step."""
    with torch.no_grad():
        logit_scale.clamp_(0.0, MAX_LOG_SCALE)
