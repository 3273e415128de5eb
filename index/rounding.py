"""Unit vectors rounded to 8 bits, and a bound on what that can do to an inner product.

# N = rows, B = rows of a block, D = embedding dimension

A vector is x = centre + scale * (c + r) with whole numbers c in [-127, 127] and |r| <= 1/2, all per
dimension. A query q gives the weights w = q * scale, rounded to t * w = v + f with whole numbers v
in [-127, 127], |f| <= 1/2. Then

    q . x  =  q . centre + (v . c + f . c + t * w . r) / t

of which q . centre + v . c / t is the estimate. By Cauchy and Schwarz it is off by no more than
(|f| |c| + |t * w| |r|) / t, with the largest |c| and |r| of all rows, which are known.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np

from core.types import FloatArray
from index.scoring import score_error

MOST = 127
"""The largest whole number, of rows and of queries."""
_SLACK = 1 + 1e-6
"""For the float64 arithmetic of the bound itself."""


@dataclass(frozen=True, slots=True)
class RoundedQuery:
    """A query in whole numbers, and how its inner products become estimates."""

    numbers_D: FloatArray
    """v, as float32, the type that FAISS takes."""
    shift: float
    """q . centre."""
    factor: float
    """1 / t."""
    error: float
    """No estimate is further than this from the inner product."""


@dataclass(frozen=True, slots=True)
class Rounding:
    """How the vectors of one matrix are rounded."""

    centre_D: FloatArray
    scale_D: FloatArray
    longest_codes: float
    """The largest |c| of a row."""
    longest_rests: float
    """The largest |r| of a row."""

    @classmethod
    def of(cls, blocks: Callable[[], Iterable[FloatArray]], *, dim: int) -> Self:
        """Return the rounding of a matrix, which is read three times.

        Args:
            blocks: returns its rows in blocks (B, D), from the beginning each time.
            dim: D.
        """
        centre_D = _mean(blocks(), dim)
        reach_D = np.zeros(dim, np.float64)
        for block_BD in blocks():
            reach_D = np.maximum(reach_D, np.abs(block_BD - centre_D.astype(np.float64)).max(0))
        scale_D = np.where(reach_D > 0, reach_D / MOST, 1.0).astype(np.float32)
        codes, rests = 0.0, 0.0
        for block_BD in blocks():
            exact_BD = (block_BD - centre_D.astype(np.float64)) / scale_D
            codes_BD = np.rint(exact_BD).clip(-MOST, MOST)
            codes = max(codes, float(np.square(codes_BD).sum(axis=1).max()))
            rests = max(rests, float(np.square(exact_BD - codes_BD).sum(axis=1).max()))
        return cls(centre_D, scale_D, math.sqrt(codes), math.sqrt(rests))

    @classmethod
    def from_array(cls, stored: FloatArray) -> Self:
        """Return what :meth:`as_array` stored."""
        dim = (len(stored) - 2) // 2
        codes, rests = stored[2 * dim :].tolist()
        # Stored in float32, which may have rounded the two bounds down.
        return cls(stored[:dim], stored[dim : 2 * dim], codes * _SLACK, rests * _SLACK)

    def as_array(self) -> FloatArray:
        """Return everything as float32, shape (2 D + 2,)."""
        bounds = [self.longest_codes, self.longest_rests]
        return np.concatenate([self.centre_D, self.scale_D, bounds]).astype(np.float32)

    def codes(self, vectors_BD: FloatArray) -> FloatArray:
        """Return the whole numbers (B, D) of some rows, as float32."""
        exact_BD = (vectors_BD - self.centre_D.astype(np.float64)) / self.scale_D
        codes_BD: FloatArray = np.rint(exact_BD).clip(-MOST, MOST).astype(np.float32)
        return codes_BD

    def query(self, query_D: FloatArray) -> RoundedQuery:
        """Return a unit vector in whole numbers."""
        exact_D = query_D.astype(np.float64)
        weights_D = exact_D * self.scale_D
        largest = float(np.abs(weights_D).max())
        times = MOST / largest if largest > 0 else 1.0
        weights_D *= times
        numbers_D = np.rint(weights_D)
        rest = math.sqrt(float(np.square(weights_D - numbers_D).sum()))
        length = math.sqrt(float(np.square(weights_D).sum()))
        off = (rest * self.longest_codes + length * self.longest_rests) / times
        return RoundedQuery(
            numbers_D.astype(np.float32),
            float(exact_D @ self.centre_D),
            1 / times,
            off * _SLACK + score_error(len(query_D)),
        )


def _mean(blocks: Iterable[FloatArray], dim: int) -> FloatArray:
    total_D, count = np.zeros(dim, np.float64), 0
    for block_BD in blocks:
        total_D += block_BD.sum(axis=0, dtype=np.float64)
        count += len(block_BD)
    return (total_D / max(count, 1)).astype(np.float32)
