"""Data that is tensors already: cached features of frozen towers, and small tests.

# N = pairs, M = texts, B = pairs of a batch, G = kinds of identity
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from core.types import IdArray
from training.data.batches import Batch


@dataclass(frozen=True, slots=True)
class TensorData:
    """Training pairs as two tensors; row i of both is pair i."""

    images: Tensor
    """(N, ...) inputs of ``encode_image``."""
    texts: Tensor
    """(N, ...) inputs of ``encode_text``."""
    groups: Tensor | None = None
    """(N, G) int64 identities; ``None``: every pair is distinct."""
    ids: Sequence[str] = ()
    """Names of the pairs; empty: their numbers."""
    fingerprint: str = field(init=False)
    """Digest of all tensors."""

    def __post_init__(self) -> None:
        """Check the lengths and take the digest.

        Raises:
            ValueError: the fields differ in length.
        """
        lengths = {len(part) for part in (self.images, self.texts, self.groups) if part is not None}
        lengths |= {len(self.ids)} if self.ids else set()
        if len(lengths) != 1:
            raise ValueError(f"images, texts, groups and ids differ in length: {sorted(lengths)}")
        object.__setattr__(self, "fingerprint", _digest(self.images, self.texts, self.groups))

    def __len__(self) -> int:
        return len(self.images)

    def caption_groups(self, indices_B: IdArray, *, epoch: int) -> IdArray:
        """Return the last identity (B,) of each pair, which is that of its text."""
        if self.groups is None:
            return indices_B
        groups_B: IdArray = self.groups[torch.from_numpy(indices_B), -1].numpy()
        return groups_B

    def batch(self, indices_B: IdArray, *, epoch: int) -> Batch:
        """Return the pairs at the indices, the same ones in every epoch."""
        rows_B = torch.from_numpy(indices_B)
        groups_BG = rows_B[:, None] if self.groups is None else self.groups[rows_B]
        names = self.ids or range(len(self))
        return Batch(
            images=self.images[rows_B],
            texts=self.texts[rows_B],
            groups=groups_BG,
            ids=tuple(str(names[int(index)]) for index in indices_B),
        )


@dataclass(frozen=True, slots=True)
class TensorHeldOut:
    """Held-out images and texts as tensors, with the images that each text describes."""

    images: Tensor
    """(N, ...) inputs of ``encode_image``."""
    texts: Tensor
    """(M, ...) inputs of ``encode_text``."""
    relevant: Sequence[frozenset[int]]
    """For each of the M texts, the rows of ``images`` that it describes; none is empty."""

    def image_batches(self, size: int) -> Iterator[Tensor]:
        """Yield the images in order, ``size`` at a time."""
        for start in range(0, len(self.images), size):
            yield self.images[start : start + size]

    def text_batches(self, size: int) -> Iterator[Tensor]:
        """Yield the texts in order, ``size`` at a time."""
        for start in range(0, len(self.texts), size):
            yield self.texts[start : start + size]


def _digest(*tensors: Tensor | None) -> str:
    digest = hashlib.sha256()
    for tensor in tensors:
        if tensor is None:
            continue
        digest.update(f"{tensor.dtype}{tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
