"""Random numbers as pure functions of a position, so that a resumed run draws the same ones.

Nothing here keeps state: the generator of a sample depends on the seed, the epoch and the index of
the sample alone, never on the number of workers or on what was drawn before.

# N = indices drawn for
"""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_MIX_SECOND = np.uint64(0x94D049BB133111EB)


def stream(purpose: str, seed: int, *position: int) -> np.random.Generator:
    """Return the generator of one purpose (``"crop"``, ``"order"``) at one position.

    Args:
        purpose: separates uses that share a position.
        seed: seed of the run, at least 0.
        position: epoch, sample index, step: whatever the draw may depend on; each at least 0.
    """
    return np.random.default_rng([zlib.crc32(purpose.encode()), seed, *position])


def derived_seed(purpose: str, seed: int, *position: int) -> int:
    """Return a 63-bit seed for generators of other libraries, from the same key as ``stream``."""
    return int(stream(purpose, seed, *position).integers(2**63))


def draws(purpose: str, seed: int, epoch: int, indices_N: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return 64 random bits for each index at once, each a function of (seed, epoch, index) alone.

    Source: the output function of SplitMix64 (Steele, Lea and Flood 2014,
    doi:10.1145/2660193.2660195), at the place of its sequence that the index names.
    """
    start = stream(purpose, seed, epoch).integers(2**64, dtype=np.uint64)
    mixed_N = start + (indices_N.astype(np.uint64) + np.uint64(1)) * _GOLDEN
    mixed_N = (mixed_N ^ (mixed_N >> np.uint64(30))) * _MIX_FIRST
    mixed_N = (mixed_N ^ (mixed_N >> np.uint64(27))) * _MIX_SECOND
    bits_N: NDArray[np.uint64] = mixed_N ^ (mixed_N >> np.uint64(31))
    return bits_N
