"""What a picture looks like in 56 bytes: a perceptual hash, and the colours of sixteen cells.

# N = pictures, K = low frequencies of one axis, S = side of the grey thumbnail
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

HASH_BITS = 64
CELL_BYTES = 48
"""Four by four cells of luma and two chroma levels."""

_FREQUENCIES = 8
_SIDE = 32
_CELLS = 4
_DECIMALS = 6

HashArray = NDArray[np.uint64]
CellArray = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """One picture."""

    hash: int
    """64 bits, see ``perceptual_hash``."""
    cells: bytes
    """48 bytes, see ``colour_cells``."""


@dataclass(frozen=True, slots=True)
class Fingerprints:
    """Many pictures, 56 bytes each."""

    hash_N: HashArray
    cells_N48: CellArray

    def __len__(self) -> int:
        return len(self.hash_N)

    def rows(self, rows: NDArray[np.int64]) -> Fingerprints:
        """Return those of the given rows."""
        return Fingerprints(self.hash_N[rows], self.cells_N48[rows])

    def distinct(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the first row of each different fingerprint, and for each row which it is."""
        joined = np.concatenate([self.hash_N[:, None].view(np.uint8), self.cells_N48], axis=1)
        keys = np.ascontiguousarray(joined).view(np.dtype((np.void, joined.shape[1]))).reshape(-1)
        _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
        return first.astype(np.int64), inverse.astype(np.int64)


def fingerprint_of(image: Image.Image) -> Fingerprint:
    """Return the fingerprint of an RGB picture."""
    return Fingerprint(hash=perceptual_hash(image), cells=colour_cells(image))


def perceptual_hash(image: Image.Image) -> int:
    """Return which of the 8 x 8 lowest frequencies of the grey picture exceed their median.

    Re-encoding, resizing and small changes of brightness move few of the 64 bits; the first row
    and column of frequencies come first, most significant bit first.

    Source: Zauner 2010, "Implementation and benchmarking of perceptual image hash functions",
    section 3.2.1, with the mean frequency kept, as the package imagehash does.
    """
    grey = image.convert("L").resize((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    basis_KS = _cosines()
    coefficients_KK = basis_KS @ np.asarray(grey, np.float64) @ basis_KS.T
    # Rounding error alone must not decide the bits of a picture of one colour.
    rounded_KK = coefficients_KK.round(_DECIMALS)
    bits = rounded_KK > np.median(rounded_KK)
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def colour_cells(image: Image.Image) -> bytes:
    """Return the mean luma and chroma of 4 x 4 cells, row by row, one byte each."""
    return image.convert("YCbCr").resize((_CELLS, _CELLS), Image.Resampling.BOX).tobytes()


def _cosines() -> NDArray[np.float64]:
    """Return the first rows (8, 32) of the DCT-II, not normalised."""
    steps_S = 2 * np.arange(_SIDE) + 1
    angles_KS = np.pi * np.outer(np.arange(_FREQUENCIES), steps_S) / (2 * _SIDE)
    return np.cos(angles_KS)
