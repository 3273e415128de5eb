"""Batches, where they come from, and the order in which a run takes them.

# B = pairs of the batch, G = kinds of identity (image, caption), T = embedding dim of a teacher
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from core.errors import ConfigError, PairsError
from core.types import IdArray
from training.randomness import stream

MIN_BATCH = 2
"""A contrastive loss needs at least one negative."""


@dataclass(frozen=True, slots=True)
class TeacherEmbeddings:
    """What a teacher model makes of the pairs of a batch."""

    image_BT: Tensor
    """(B, T) L2-normalised."""
    text_BT: Tensor
    """(B, T) L2-normalised."""
    logit_scale: float
    """Inverse temperature of the teacher, exponentiated."""

    def to(self, device: torch.device) -> TeacherEmbeddings:
        """Return the embeddings on ``device``."""
        images, texts = self.image_BT.to(device), self.text_BT.to(device)
        return TeacherEmbeddings(images, texts, self.logit_scale)

    def rows(self, start: int, stop: int) -> TeacherEmbeddings:
        """Return the pairs from ``start`` up to ``stop``."""
        images, texts = self.image_BT[start:stop], self.text_BT[start:stop]
        return TeacherEmbeddings(images, texts, self.logit_scale)


@dataclass(frozen=True, slots=True)
class Batch:
    """The pairs of one optimiser step: row i of every field belongs to pair i."""

    images: Tensor
    """(B, ...) whatever the model's ``encode_image`` takes."""
    texts: Tensor
    """(B, ...) whatever the model's ``encode_text`` takes."""
    groups: Tensor
    """(B, G) int64 identities: pairs equal in any column are positives of each other."""
    ids: tuple[str, ...]
    """Names of the pairs, for messages."""
    teacher: TeacherEmbeddings | None = None
    """What a teacher model says of the same pairs, for distillation."""

    def __len__(self) -> int:
        return len(self.ids)

    def to(self, device: torch.device) -> Batch:
        """Return the batch with its tensors on ``device``."""
        return Batch(
            images=self.images.to(device, non_blocking=True),
            texts=self.texts.to(device, non_blocking=True),
            groups=self.groups.to(device, non_blocking=True),
            ids=self.ids,
            teacher=self.teacher.to(device) if self.teacher is not None else None,
        )

    def rows(self, start: int, stop: int) -> Batch:
        """Return the pairs from ``start`` up to ``stop`` without a copy."""
        return Batch(
            images=self.images[start:stop],
            texts=self.texts[start:stop],
            groups=self.groups[start:stop],
            ids=self.ids[start:stop],
            teacher=self.teacher.rows(start, stop) if self.teacher is not None else None,
        )


class TrainingData(Protocol):
    """The seam of the trainer: anything that can make batches by index."""

    @property
    def fingerprint(self) -> str:
        """Digest of the content; a checkpoint is only resumed with the same one."""
        ...

    def __len__(self) -> int:
        """Return the number of pairs."""
        ...

    def batch(self, indices_B: IdArray, *, epoch: int) -> Batch:
        """Return the pairs at the indices as a pure function of (seed, epoch, index).

        It is called from worker threads. Pairs that cannot be read are left out.
        """
        ...


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """Which pairs make which batch: a pure function of (seed, epoch, cursor)."""

    num_pairs: int
    """Pairs of the data set."""
    batch_size: int
    """Pairs per optimiser step."""
    seed: int
    """Seed of the order."""
    drop_last: bool = True
    """Leave out the last, smaller batch: fewer negatives would give its loss another scale."""
    ordering: Callable[[int], IdArray] | None = None
    """Returns the pairs of an epoch in their order; ``None`` is a permutation of all."""

    def __post_init__(self) -> None:
        """Refuse data and batch sizes that cannot make a batch with a negative."""
        if self.num_pairs == 0:
            raise PairsError("the training data is empty; it needs at least 2 pairs")
        if self.num_pairs < MIN_BATCH:
            raise PairsError("the training data has 1 pair; a contrastive loss needs at least 2")
        if self.batch_size < MIN_BATCH:
            raise ConfigError(f"data.batch_size = {self.batch_size}: expected at least {MIN_BATCH}")
        if self.batch_size > self.num_pairs:
            raise ConfigError(
                f"data.batch_size = {self.batch_size} is larger than the {self.num_pairs} training "
                f"pairs; use --set data.batch_size={self.num_pairs} or less"
            )

    @property
    def steps_per_epoch(self) -> int:
        """Return the number of batches of one epoch; a last batch of one pair never counts."""
        full, rest = divmod(self.num_pairs, self.batch_size)
        return full + (1 if rest >= MIN_BATCH and not self.drop_last else 0)

    def order(self, epoch: int) -> IdArray:
        """Return the pairs of an epoch in their order."""
        if self.ordering is not None:
            return self.ordering(epoch)
        return stream("order", self.seed, epoch).permutation(self.num_pairs)

    def positions(
        self, *, epoch: int, cursor: int, steps: int, epochs: int
    ) -> Iterator[tuple[int, IdArray]]:
        """Yield (epoch, indices) of the next ``steps`` batches, from batch ``cursor`` of an epoch.

        It ends early after the last of ``epochs``.
        """
        for number in range(epoch, epochs):
            for indices_B in self.epoch_batches(number, cursor=cursor):
                if steps == 0:
                    return
                steps -= 1
                yield number, indices_B
            cursor = 0

    def epoch_batches(self, epoch: int, *, cursor: int = 0) -> Iterator[IdArray]:
        """Yield the indices of the batches of an epoch, from batch number ``cursor`` on."""
        order_N = self.order(epoch)
        for number in range(cursor, self.steps_per_epoch):
            yield order_N[number * self.batch_size : (number + 1) * self.batch_size]
