"""Rules of chunked gradients: GradCache."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.training.tiny import TinyDualEncoder, tensor_data
from training.backward import Backward, Chunking, GraphSize
from training.data.batches import Batch
from training.losses.config import LossConfig
from training.losses.contrastive import ContrastiveLoss
from training.towers.dual_encoder import as_dual_encoder
from training.towers.forward import TwoTowers
from training.world import World

FAR_TOO_MUCH = 10**9


def without_batch_norm(*, dropout: float = 0.0) -> TinyDualEncoder:
    """Return a model whose pairs do not see each other inside the towers."""
    model = TinyDualEncoder()
    model.norm = nn.Identity()  # type: ignore[assignment]  # statistics depend on the chunk
    model.dropout = nn.Dropout(dropout)
    return model


def gradients(
    model: TinyDualEncoder,
    batch: Batch,
    *,
    chunk: int = 0,
    graph_bytes: int = 0,
) -> tuple[float, dict[str, Tensor]]:
    """Return the loss and the gradient of every parameter."""
    backward = Backward(
        TwoTowers(as_dual_encoder(model)),
        ContrastiveLoss(LossConfig(), World.single()),
        device=torch.device("cpu"),
        autocast=nullcontext,
        chunking=Chunking(size=chunk, graph_bytes=graph_bytes),
    )
    model.zero_grad()
    value = backward(batch, seed=lambda number: 100 + number, before=lambda loss: loss)
    return value.item(), {
        name: parameter.grad.clone()
        for name, parameter in model.named_parameters()
        if parameter.grad is not None
    }


def twelve_pairs() -> Batch:
    """Return a batch of twelve pairs."""
    return tensor_data(12).batch(np.arange(12), epoch=0)


@pytest.mark.parametrize("chunk", [1, 3, 5, 12, 50])
@pytest.mark.parametrize("graph_bytes", [0, FAR_TOO_MUCH])
def test_chunks_have_the_gradients_of_the_whole_batch(chunk: int, graph_bytes: int) -> None:
    """Traps 1 and 2: every parameter agrees, the temperature included, whatever the chunks."""
    whole_loss, whole = gradients(without_batch_norm(), twelve_pairs())

    loss, found = gradients(
        without_batch_norm(), twelve_pairs(), chunk=chunk, graph_bytes=graph_bytes
    )

    assert loss == pytest.approx(whole_loss, rel=1e-6)
    assert found.keys() == whole.keys()
    assert "logit_scale" in found
    for name, gradient in whole.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-5, atol=1e-7, msg=name)


def test_adding_up_losses_of_small_batches_is_something_else() -> None:
    """Trap 1: without the other chunks as negatives both loss and gradient differ."""
    model = without_batch_norm()
    batch = twelve_pairs()
    whole_loss, whole = gradients(model, batch)

    parts = [gradients(model, batch.rows(start, start + 4)) for start in (0, 4, 8)]

    mean_loss = sum(loss for loss, _ in parts) / 3
    mean = sum(found["image.weight"] for _, found in parts) / 3
    assert mean_loss < 0.9 * whole_loss
    assert not torch.allclose(mean, whole["image.weight"], rtol=0.05)


def test_dropout_draws_the_same_in_both_passes() -> None:
    """Trap 3: a recomputed chunk sees the masks of its first pass."""
    recomputed = gradients(without_batch_norm(dropout=0.5), twelve_pairs(), chunk=3)
    kept = gradients(
        without_batch_norm(dropout=0.5), twelve_pairs(), chunk=3, graph_bytes=FAR_TOO_MUCH
    )

    assert recomputed[0] == kept[0]
    assert all(torch.equal(kept[1][name], value) for name, value in recomputed[1].items())


def test_chunks_draw_different_masks() -> None:
    """A chunk is not a copy of its neighbour: each has a seed of its own."""
    model = without_batch_norm(dropout=0.5)
    seen: list[Tensor] = []
    model.dropout.register_forward_hook(lambda _module, _inputs, output: seen.append(output != 0))

    gradients(model, twelve_pairs(), chunk=6, graph_bytes=FAR_TOO_MUCH)

    assert len(seen) == 2
    assert not torch.equal(seen[0], seen[1])


def test_only_what_does_not_fit_is_computed_twice() -> None:
    """With room for two graphs and four chunks there are four first passes and two second ones."""
    model = without_batch_norm()
    calls: list[int] = []
    model.text.register_forward_hook(lambda *_: calls.append(1))
    measured = GraphSize()
    chunk = twelve_pairs().rows(0, 3)
    with measured:
        TwoTowers(as_dual_encoder(model))(chunk.images, chunk.texts)
    calls.clear()

    gradients(model, twelve_pairs(), chunk=3, graph_bytes=2 * measured.num_bytes)

    assert len(calls) == 6


def test_a_graph_is_as_large_as_what_it_saves() -> None:
    """A product saves both factors once: 10 and 10 float32 numbers, weights not counted."""
    left, right = (torch.ones(10, requires_grad=True) for _ in range(2))
    weight = nn.Parameter(torch.ones(10))
    size = GraphSize()

    with size:
        (left * right * weight).sum()

    assert size.num_bytes == 3 * 40


def test_a_locked_tower_gets_no_gradient() -> None:
    """Nothing is sent back where nothing is trained."""
    model = without_batch_norm()
    model.image.requires_grad_(requires_grad=False)

    _, found = gradients(model, twelve_pairs(), chunk=4)

    assert set(found) == {"text.weight", "text.bias", "logit_scale"}


def test_recomputed_bfloat16_chunks_equal_kept_ones() -> None:
    """Trap 5: each pass opens autocast anew, so no weight cast without gradient is used again."""
    found = []
    for graph_bytes in (0, FAR_TOO_MUCH):
        model = without_batch_norm()
        backward = Backward(
            TwoTowers(as_dual_encoder(model)),
            ContrastiveLoss(LossConfig(), World.single()),
            device=torch.device("cpu"),
            autocast=lambda: torch.autocast("cpu", dtype=torch.bfloat16),
            chunking=Chunking(size=3, graph_bytes=graph_bytes),
        )
        backward(twelve_pairs(), seed=lambda number: number, before=lambda loss: loss)
        found.append({name: value.grad for name, value in model.named_parameters()})

    assert all(gradient is not None for gradient in found[0].values())
    for name, gradient in found[0].items():
        assert torch.equal(gradient, found[1][name]), name  # type: ignore[arg-type]  # checked above
