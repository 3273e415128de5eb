"""Loss and gradients of one batch, in one pass or chunk by chunk.

A contrastive loss does not add up over small batches: each pair needs the others as negatives. So
chunks are embedded first, the loss is taken once over all embeddings, and its gradient with respect
to each embedding is then sent back through the towers, chunk by chunk. The gradients of every
parameter, the temperature included, are those of the whole batch.

Source: Gao et al. 2021, arXiv:2101.06983 (GradCache). Unlike there, the graphs of as many chunks as
the memory limit allows are kept, so that only the others are computed twice.

# B = pairs of the batch on this rank, C = pairs of a chunk, D = embedding dim
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from training.data.batches import Batch, TeacherEmbeddings
from training.towers.forward import TwoTowers
from training.towers.resolution import resize_pictures

Embeddings = tuple[Tensor, Tensor]
"""Of images (C, D) and of texts (C, D), float32, not normalised."""


class LossFunction(Protocol):
    """A loss over raw embeddings; shares of several ranks add up to the loss of the batch."""

    def __call__(
        self,
        image_BD: Tensor,
        text_BD: Tensor,
        logit_scale: Tensor,
        *,
        logit_bias: Tensor | None,
        groups_BG: Tensor | None,
        teacher: TeacherEmbeddings | None,
    ) -> Tensor:
        """Return the scalar loss; ``logit_scale`` is exponentiated."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunking:
    """How much of a batch is in memory at once."""

    size: int = 0
    """Pairs per chunk; 0: the whole batch is one chunk."""
    graph_bytes: int = 0
    """Most memory for graphs that are kept between the two passes; one chunk is always kept."""


class Backward:
    """Fills the gradients of a model for one batch at a time."""

    def __init__(
        self,
        towers: TwoTowers,
        loss: LossFunction,
        *,
        device: torch.device,
        autocast: Callable[[], AbstractContextManager[object]],
        chunking: Chunking,
    ) -> None:
        """Keep what every batch needs; ``autocast`` opens a fresh context for each pass."""
        self._towers, self._model, self._loss = towers, towers.model, loss
        self._device, self._autocast, self._chunking = device, autocast, chunking
        self._graph_bytes: int | None = None
        self._image_size: int | None = None

    def __call__(
        self,
        batch: Batch,
        *,
        seed: Callable[[int], int],
        before: Callable[[Tensor], Tensor],
        image_size: int | None = None,
    ) -> Tensor:
        """Add this rank's gradients to the parameters and return its share of the loss.

        Args:
            batch: the pairs of this rank, on any device; chunks are moved one by one.
            seed: seed of torch's generators for a chunk; the same in both passes, so that dropout
                draws the same.
            before: sees the loss before the backward pass, may raise, and returns what is to be
                differentiated (float16 needs a scaled loss).
            image_size: side to which pictures are brought on the device; ``None``: as they are.
        """
        self._image_size = image_size
        chunks = list(chunks_of(batch, self._chunking.size))
        kept: dict[int, Embeddings] = {}
        leaves: list[Embeddings] = []
        for number, chunk in enumerate(chunks):
            keep = number < self._num_kept(len(chunks))
            with torch.set_grad_enabled(keep):
                embedded = self._embed(chunk, seed(number))
            if keep:
                kept[number] = embedded
            leaves.append((_leaf(embedded[0]), _leaf(embedded[1])))
        loss = self._loss_of(batch, leaves)
        before(loss).backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        for number, chunk in enumerate(chunks):
            embedded = kept.pop(number) if number in kept else self._embed(chunk, seed(number))
            send_back(embedded, leaves[number])
        return loss.detach()

    def num_chunks(self, pairs: int) -> int:
        """Return into how many chunks that many pairs are cut."""
        return math.ceil(pairs / self._chunking.size) if self._chunking.size else 1

    def _num_kept(self, num_chunks: int) -> int:
        """Return how many graphs are kept; before the first one is measured, that one."""
        if not self._chunking.size:
            return num_chunks
        if self._graph_bytes is None:
            return 1
        return max(1, self._chunking.graph_bytes // self._graph_bytes)

    def _embed(self, chunk: Batch, seed: int) -> Embeddings:
        torch.manual_seed(seed)
        on_device = chunk.to(self._device)
        images = on_device.images
        if self._image_size is not None:
            images = resize_pictures(images, self._image_size)
        measuring = bool(self._chunking.size) and self._graph_bytes is None
        size = GraphSize()
        with size if measuring else nullcontext(), self._autocast():
            image_CD, text_CD = self._towers(images, on_device.texts)
        if measuring:
            self._graph_bytes = max(1, size.num_bytes)
        return image_CD.float(), text_CD.float()

    def _loss_of(self, batch: Batch, leaves: Sequence[Embeddings]) -> Tensor:
        bias = getattr(self._model, "logit_bias", None)
        return self._loss(
            torch.cat([image_CD for image_CD, _ in leaves]),
            torch.cat([text_CD for _, text_CD in leaves]),
            self._model.logit_scale.exp(),
            logit_bias=bias,
            groups_BG=batch.groups.to(self._device),
            teacher=batch.teacher.to(self._device) if batch.teacher is not None else None,
        )


class GraphSize(saved_tensors_hooks):
    """Measures what the graph of a forward pass keeps alive, parameters and repeats left out."""

    def __init__(self) -> None:
        """Start at nothing."""
        self._storages: dict[int, int] = {}
        super().__init__(self._note, _same)

    @property
    def num_bytes(self) -> int:
        """Return the bytes seen so far."""
        return sum(self._storages.values())

    def _note(self, tensor: Tensor) -> Tensor:
        if not isinstance(tensor, nn.Parameter):
            storage = tensor.untyped_storage()
            self._storages[storage.data_ptr()] = storage.nbytes()
        return tensor


def chunks_of(batch: Batch, size: int) -> Iterator[Batch]:
    """Yield the batch in parts of at most ``size`` pairs; 0 yields it whole."""
    if not size:
        yield batch
        return
    for start in range(0, len(batch), size):
        yield batch.rows(start, start + size)


def send_back(embedded: Embeddings, leaves: Embeddings) -> None:
    """Add the gradients of the leaves to the parameters behind the embeddings.

    A locked tower has none behind it and is passed over.
    """
    pairs = [
        (output, leaf.grad)
        for output, leaf in zip(embedded, leaves, strict=True)
        if output.requires_grad and leaf.grad is not None
    ]
    if pairs:
        torch.autograd.backward([output for output, _ in pairs], [grad for _, grad in pairs])


def _leaf(embedding: Tensor) -> Tensor:
    return embedding.detach().requires_grad_()


def _same(tensor: Tensor) -> Tensor:
    return tensor
