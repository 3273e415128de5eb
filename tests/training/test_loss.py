"""Rules of the contrastive loss and its temperature."""

from __future__ import annotations

import math

import pytest
import torch
from open_clip import ClipLoss
from torch import Tensor, nn
from torch.nn.functional import normalize

from training.loss import INITIAL_LOG_SCALE, MAX_LOG_SCALE, clamp_temperature, clip_loss


def unit(rows: int, dim: int, seed: int) -> Tensor:
    """Return random unit rows."""
    return normalize(torch.randn(rows, dim, generator=torch.Generator().manual_seed(seed)), dim=-1)


def naive_loss(images: Tensor, texts: Tensor, scale: float, groups: Tensor | None) -> float:
    """Return the definition, one pair at a time."""
    size, total = len(images), 0.0
    for queries, gallery in ((images, texts), (texts, images)):
        for i in range(size):
            logits = [scale * float(queries[i] @ gallery[j]) for j in range(size)]
            log_sum = math.log(sum(math.exp(value) for value in logits))
            positives = [
                j
                for j in range(size)
                if (i == j if groups is None else bool((groups[i] == groups[j]).any()))
            ]
            total += sum(log_sum - logits[j] for j in positives) / len(positives)
    return total / (2 * size)


def test_two_orthogonal_pairs_have_the_loss_worked_out_by_hand() -> None:
    """Logits 1 for the pair and 0 for the other: ln(1 + 1/e) = 0.313262."""
    loss = clip_loss(torch.eye(2), torch.eye(2), torch.tensor(1.0))

    assert loss.item() == pytest.approx(0.313262, abs=1e-6)


def test_equal_embeddings_have_the_loss_of_chance() -> None:
    """Where nothing can be told apart the loss is ln(B)."""
    same = torch.ones(5, 1)

    assert clip_loss(same, same, torch.tensor(14.0)).item() == pytest.approx(math.log(5))


def test_it_equals_the_loss_of_open_clip() -> None:
    """With distinct pairs value and gradients are those of open_clip's ClipLoss."""
    images, texts = unit(12, 8, 1), unit(12, 8, 2)
    results = []
    for loss_function in (ClipLoss(), clip_loss):
        ours = [images.clone().requires_grad_(), texts.clone().requires_grad_()]
        scale = torch.tensor(20.0, requires_grad=True)
        loss = loss_function(ours[0], ours[1], scale)
        loss.backward()
        results.append([loss.detach(), ours[0].grad, ours[1].grad, scale.grad])

    torch.testing.assert_close(results[1], results[0])


@pytest.mark.parametrize(
    "groups",
    [
        None,
        torch.arange(6)[:, None],
        torch.tensor([[0, 0], [1, 0], [1, 1], [2, 3], [4, 4], [5, 4]]),
    ],
    ids=["none", "distinct", "shared, not transitive"],
)
def test_it_equals_the_definition(groups: Tensor | None) -> None:
    """Any pattern of shared identities gives the loss of the naive double loop."""
    images, texts = unit(6, 4, 3), unit(6, 4, 4)

    loss = clip_loss(images, texts, torch.tensor(10.0), groups_BG=groups)

    assert loss.item() == pytest.approx(naive_loss(images, texts, 10.0, groups), rel=1e-5)


def test_equal_captions_do_not_push_each_other_away() -> None:
    """Trap 11: two pairs of one caption have no loss between them when they coincide."""
    image = torch.tensor([[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0]])
    groups = torch.tensor([[0, 7], [1, 7], [2, 8]])

    with_groups = clip_loss(image, image, torch.tensor(50.0), groups_BG=groups)

    assert with_groups.item() == pytest.approx(2 / 3 * math.log(2), rel=1e-5)
    assert clip_loss(image, image, torch.tensor(50.0)).item() == pytest.approx(2 / 3 * math.log(2))
    far = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]])
    assert clip_loss(far, far, torch.tensor(50.0), groups_BG=groups).item() > 10


def test_the_gradient_equals_finite_differences() -> None:
    """Autograd agrees with differences of the loss, in images, texts and scale."""
    groups = torch.tensor([[0, 0], [1, 0], [2, 1]])
    inputs = (unit(3, 4, 5), unit(3, 4, 6), torch.tensor(3.0))
    step = 1e-2
    for position in range(3):
        leaves = [value.clone().requires_grad_() for value in inputs]
        clip_loss(leaves[0], leaves[1], leaves[2], groups_BG=groups).backward()
        gradient = leaves[position].grad
        assert gradient is not None
        direction = torch.ones_like(inputs[position])
        sides = []
        for sign in (1, -1):
            moved = list(inputs)
            moved[position] = moved[position] + sign * step * direction
            sides.append(clip_loss(moved[0], moved[1], moved[2], groups_BG=groups).item())
        difference = (sides[0] - sides[1]) / (2 * step)

        assert float((gradient * direction).sum()) == pytest.approx(difference, abs=2e-3)


def test_logits_stay_in_float32_under_autocast() -> None:
    """Trap 6: bfloat16 logits near 100 would move in steps of 0.5."""
    images, texts = unit(32, 16, 7), unit(32, 16, 8)
    expected = clip_loss(images, texts, torch.tensor(100.0))

    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = clip_loss(images, texts, torch.tensor(100.0))

    assert loss.dtype == torch.float32
    assert torch.equal(loss, expected)


def test_different_shapes_are_refused() -> None:
    """The message names both shapes."""
    with pytest.raises(ValueError, match=r"\(2, 4\).*\(3, 4\)"):
        clip_loss(unit(2, 4, 0), unit(3, 4, 0), torch.tensor(1.0))


def test_groups_of_another_length_are_refused() -> None:
    """One row of identities per pair."""
    with pytest.raises(ValueError, match="expected"):
        clip_loss(unit(2, 4, 0), unit(2, 4, 0), torch.tensor(1.0), groups_BG=torch.zeros(3, 1))


@pytest.mark.parametrize(("before", "after"), [(-1.0, 0.0), (2.0, 2.0), (9.0, math.log(100))])
def test_the_temperature_is_clamped(before: float, after: float) -> None:
    """Trap 9: the log scale stays in [0, ln 100]."""
    scale = nn.Parameter(torch.tensor(before))

    clamp_temperature(scale)

    assert scale.item() == pytest.approx(after)


def test_the_constants_are_those_of_the_paper() -> None:
    """Initial temperature 0.07, largest scale 100."""
    assert math.exp(INITIAL_LOG_SCALE) == pytest.approx(14.285714)
    assert math.exp(MAX_LOG_SCALE) == pytest.approx(100)
