"""Several data sets as one, each with its share of an epoch.

# N = pairs of all parts, B = pairs of a batch, L = pairs drawn in an epoch
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray

from core.errors import ConfigError, PairsError
from core.types import IdArray
from training.data.batches import Batch, TeacherEmbeddings, TrainingData
from training.randomness import stream


@runtime_checkable
class CaptionedData(TrainingData, Protocol):
    """Training data that can tell equal captions before a batch is made."""

    def caption_groups(self, indices_B: IdArray, *, epoch: int) -> IdArray:
        """Return the number (B,) of the caption that each pair shows in an epoch."""
        ...


@dataclass(frozen=True, slots=True)
class Mixture:
    """``TrainingData`` over several of its kind, whose pairs are numbered one part after another.

    An index beyond N stands for the pair index % N when it is shown again: index // N says how
    often its part was gone through before, so that it gets another crop and another caption.
    """

    parts: Sequence[CaptionedData]
    """At least one; with the same tokens and the same size of pictures."""

    def __post_init__(self) -> None:
        """Refuse an empty mixture."""
        if not self.parts:
            raise PairsError("a mixture needs at least one data set")

    def __len__(self) -> int:
        return sum(self.sizes)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Return the number of pairs of each part."""
        return tuple(len(part) for part in self.parts)

    @property
    def fingerprint(self) -> str:
        """Return a digest over the fingerprints of all parts, in order."""
        joined = "\n".join(part.fingerprint for part in self.parts)
        return hashlib.sha256(joined.encode()).hexdigest()

    def caption_groups(self, indices_B: IdArray, *, epoch: int) -> IdArray:
        """Return the number of the caption that each pair shows, comparable across parts."""
        groups_B = np.empty(len(indices_B), dtype=np.int64)
        for share in self._shares(indices_B, epoch):
            groups_B[share.chosen_B] = share.part.caption_groups(share.places, epoch=share.epoch)
        return groups_B

    def batch(self, indices_B: IdArray, *, epoch: int) -> Batch:
        """Return the pairs at the indices, those of the first part first.

        A pair of pass p (index // N) looks as it does in epoch ``epoch + p`` of its part: passes
        grow with the epochs, so no pair looks the same twice.
        """
        batches = [
            share.part.batch(share.places, epoch=share.epoch)
            for share in self._shares(indices_B, epoch)
        ]
        return joined([batch for batch in batches if len(batch)] or batches[:1])

    def _shares(self, indices_B: IdArray, epoch: int) -> Iterator[_Share]:
        """Yield what each part, and each pass through it, has to do with a batch."""
        passes_B, places_B = np.divmod(indices_B, len(self))
        bounds = np.cumsum(self.sizes)
        numbers_B = np.searchsorted(bounds, places_B, side="right")
        for number, turn in sorted(set(zip(numbers_B.tolist(), passes_B.tolist(), strict=True))):
            chosen_B = (numbers_B == number) & (passes_B == turn)
            first = int(bounds[number]) - self.sizes[number]
            places = places_B[chosen_B] - first
            yield _Share(self.parts[number], chosen_B, places, epoch + turn)


@dataclass(frozen=True, slots=True)
class _Share:
    """The pairs of a batch that come from one pass through one part."""

    part: CaptionedData
    chosen_B: NDArray[np.bool_]
    places: IdArray
    epoch: int


def joined(batches: Sequence[Batch]) -> Batch:
    """Return the pairs of several batches as one.

    Raises:
        ConfigError: pictures or tokens of different sizes cannot stand in one batch.
    """
    if len({batch.images.shape[1:] for batch in batches}) > 1:
        raise ConfigError("the data sets of a mixture give pictures of different sizes")
    return Batch(
        images=torch.cat([batch.images for batch in batches]),
        texts=torch.cat([batch.texts for batch in batches]),
        groups=torch.cat([batch.groups for batch in batches]),
        ids=tuple(name for batch in batches for name in batch.ids),
        teacher=_joined_teachers([batch.teacher for batch in batches]),
    )


def _joined_teachers(parts: Sequence[TeacherEmbeddings | None]) -> TeacherEmbeddings | None:
    """Return what one teacher says of several batches; ``None`` where it is silent on any."""
    said = [part for part in parts if part is not None]
    if len(said) < len(parts):
        return None
    images, texts = ([getattr(part, name) for part in said] for name in ("image_BT", "text_BT"))
    return TeacherEmbeddings(torch.cat(images), torch.cat(texts), said[0].logit_scale)


def weighted_order(
    sizes: Sequence[int], weights: Sequence[float], *, seed: int, epoch: int, length: int
) -> IdArray:
    """Return the indices (L,) of an epoch, drawn from each part in proportion to its weight.

    Every part is walked through in one endless line of permutations: no pair is shown again before
    all of its part were, also across epochs. Pass p of a part has indices from p * sum(sizes) on,
    as ``Mixture`` takes them.

    Args:
        sizes: pairs of each part.
        weights: share of each part, each above 0; they need not sum to one.
        seed: of the order.
        epoch: from 0.
        length: L, pairs of an epoch.

    Raises:
        ConfigError: not one weight for each part, or one so small that its part is never shown.
    """
    counts = shares(weights, length=length)
    if len(sizes) != len(weights):
        raise ConfigError(
            f"data.weights has {len(weights)} numbers for {len(sizes)} data sets; give one each"
        )
    total = sum(sizes)
    firsts = accumulate(sizes[:-1], initial=0)
    # Which part comes at which place is shuffled; the pairs of a part keep their order.
    labels_L = np.repeat(np.arange(len(sizes)), counts)
    labels_L = stream("mixture", seed, epoch).permutation(labels_L)
    order_L = np.empty(length, dtype=np.int64)
    for part, (first, size, count) in enumerate(zip(firsts, sizes, counts, strict=True)):
        drawn = _walk(part, size, start=epoch * count, count=count, seed=seed, total=total)
        order_L[labels_L == part] = drawn + first
    return order_L


def shares(weights: Sequence[float], *, length: int) -> tuple[int, ...]:
    """Return how many of ``length`` pairs each part gives, by the largest remainders.

    Raises:
        ConfigError: a part would give none.
    """
    exact_P = np.asarray(weights, dtype=np.float64) / sum(weights) * length
    counts_P = np.floor(exact_P).astype(np.int64)
    missing = length - int(counts_P.sum())
    # Equal remainders go to the earlier part.
    largest = np.argsort(counts_P - exact_P, kind="stable")[:missing]
    counts_P[largest] += 1
    if counts_P.min() < 1:
        raise ConfigError(
            f"data.weights = {list(weights)}: a data set would give none of the {length} pairs of "
            "an epoch; raise its weight"
        )
    return tuple(counts_P.tolist())


def _walk(part: int, size: int, *, start: int, count: int, seed: int, total: int) -> IdArray:
    """Return places ``start`` to ``start + count`` of a part's line of permutations."""
    passes = range(start // size, (start + count - 1) // size + 1)
    line = np.concatenate(
        [
            stream("mixture part", seed, part, turn).permutation(size) + turn * total
            for turn in passes
        ]
    )
    skipped = start - passes[0] * size
    return line[skipped : skipped + count]
