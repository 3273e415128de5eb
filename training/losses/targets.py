"""What the softmax loss pulls towards: distributions over the batch, a tile at a time.

Each class holds the targets of both directions, rows and columns, times a weight: a row or a column
of targets sums to ``weight``.

# B = pairs of this rank, N = pairs of all ranks, T = rows of a tile, K = positives of a tile
"""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from training.losses.positives import Positives
from training.losses.tiles import Logits, LogSums
from training.world import World


class Targets(Protocol):
    """Targets of both directions, added up: ``rows of targets + columns of targets``, (T, N)."""

    weight: float

    def dot(self, logits_TN: Tensor, rows: slice) -> Tensor:
        """Return the float64 sum of targets times logits of a tile."""
        ...

    def subtract(self, grad_TN: Tensor, rows: slice) -> None:
        """Subtract the targets of a tile from ``grad_TN`` in place."""
        ...


class PositiveTargets:
    """Uniform over the positives of each pair.

    Source: Khosla et al. 2020, arXiv:2004.11362, equation 2, in both directions.
    """

    def __init__(
        self, positives: Positives, counts_B: Tensor, world: World, *, weight: float
    ) -> None:
        """Take how many positives each pair of this rank has, in the type of the logits."""
        self.weight = weight
        self._positives = positives
        self._row_B = weight / counts_B
        # Sharing an identity is symmetric: column j has as many positives as row j.
        self._column_N = world.gather(self._row_B)

    def dot(self, logits_TN: Tensor, rows: slice) -> Tensor:
        """Return the float64 sum of targets times logits of a tile."""
        row_K, column_K = self._positives.of(rows)
        return (self._values(row_K, column_K, rows) * logits_TN[row_K, column_K].double()).sum()

    def subtract(self, grad_TN: Tensor, rows: slice) -> None:
        """Subtract the targets of a tile from ``grad_TN`` in place."""
        row_K, column_K = self._positives.of(rows)
        grad_TN[row_K, column_K] -= self._values(row_K, column_K, rows)

    def _values(self, row_K: Tensor, column_K: Tensor, rows: slice) -> Tensor:
        return self._row_B[rows][row_K] + self._column_N[column_K]


class UniformTargets:
    """The same for every pair of the batch: what label smoothing mixes in."""

    def __init__(self, num_columns: int, *, weight: float) -> None:
        """Spread ``weight`` over the columns."""
        self.weight = weight
        self._value = 2 * weight / num_columns

    def dot(self, logits_TN: Tensor, rows: slice) -> Tensor:
        """Return the float64 sum of targets times logits of a tile."""
        return logits_TN.sum(dim=1).double().sum() * self._value

    def subtract(self, grad_TN: Tensor, rows: slice) -> None:
        """Subtract the targets of a tile from ``grad_TN`` in place."""
        grad_TN.sub_(self._value)


class TeacherTargets:
    """The softmax of a teacher's logits, over rows and over columns."""

    def __init__(self, logits: Logits, world: World, *, weight: float) -> None:
        """Pass once over the teacher's logits for their sums."""
        self.weight = weight
        self._logits = logits
        sums = LogSums(logits)
        for _, logits_TN in logits.tiles():
            sums.add(logits_TN)
        self._row_B1 = sums.rows().to(logits.image_BD.dtype)[:, None]
        self._column_N = sums.columns(world).to(logits.image_BD.dtype)

    def dot(self, logits_TN: Tensor, rows: slice) -> Tensor:
        """Return the float64 sum of targets times logits of a tile."""
        return (self._values(rows).mul_(logits_TN)).sum(dim=1).double().sum()

    def subtract(self, grad_TN: Tensor, rows: slice) -> None:
        """Subtract the targets of a tile from ``grad_TN`` in place."""
        grad_TN.sub_(self._values(rows))

    def _values(self, rows: slice) -> Tensor:
        teacher_TN = self._logits.of(rows)
        by_column_TN = (teacher_TN - self._column_N).exp_()
        by_row_TN = teacher_TN.sub_(self._row_B1[rows]).exp_()
        return by_row_TN.add_(by_column_TN).mul_(self.weight)
