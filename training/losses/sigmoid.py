"""The sigmoid loss of SigLIP.

# B = pairs of this rank, N = pairs of all ranks, T = rows of a tile, K = positives of a tile
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import softplus

from training.losses.positives import Positives
from training.losses.tiles import Logits


class SigmoidObjective:
    """Every image with every text is one yes-or-no question; summed over all, per image, in nats.

    Source: Zhai et al. 2023, arXiv:2303.15343, section 3.2.
    """

    def __init__(self, logits: Logits, positives: Positives) -> None:
        """Start with no tile seen."""
        self.denominator = float(len(logits.text_ND))
        self._positives = positives
        self._sum = torch.zeros((), dtype=torch.float64, device=logits.text_ND.device)

    def see(self, logits_TN: Tensor, rows: slice) -> None:
        """Take in a tile of the forward pass, which is overwritten."""
        wrong_TN = self._against_label(logits_TN, rows)
        self._sum += softplus(wrong_TN).sum(dim=1).double().sum()

    def total(self) -> Tensor:
        """Return this rank's share of the sum, a float64 scalar."""
        return self._sum

    def gradient(self, logits_TN: Tensor, rows: slice) -> Tensor:
        """Return the gradient of the whole sum in a tile of logits, which is overwritten."""
        return self._against_label(self._against_label(logits_TN, rows).sigmoid_(), rows)

    def _against_label(self, values_TN: Tensor, rows: slice) -> Tensor:
        """Turn the sign of the positives in place: what is left is high where it is wrong."""
        row_K, column_K = self._positives.of(rows)
        values_TN[row_K, column_K] *= -1
        return values_TN
