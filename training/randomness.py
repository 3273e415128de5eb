"""Random numbers as pure functions of a position, so that a resumed run draws the same ones.

Nothing here keeps state: the generator of a sample depends on the seed, the epoch and the index of
the sample alone, never on the number of workers or on what was drawn before.
"""

from __future__ import annotations

import zlib

import numpy as np


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
