"""Rules of the moving average of weights."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load as load_safetensors
from safetensors.torch import save as save_safetensors

from core.errors import ConflictError, TrainingError
from tests.training.tiny import TinyDualEncoder, tensor_data
from tests.training.towers.families import clip_vit
from training.ema import Ema


def move(model: TinyDualEncoder, number: int) -> None:
    """Make a stand-in for a step: a forward pass for batch norm, and random weights."""
    model.train()
    model.encode_image(tensor_data().images)
    torch.manual_seed(number)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter))


def snapshot(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Return copies of all parameters and buffers."""
    return {name: value.clone() for name, value in model.state_dict().items()}


def assert_same(found: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor]) -> None:
    """Compare names and bytes."""
    assert found.keys() == wanted.keys()
    assert all(torch.equal(value, wanted[name]) for name, value in found.items())


def test_the_average_by_hand() -> None:
    """Decay 0.5 from 1 over 3 and 5: (1 + 3) / 2 = 2, then (2 + 5) / 2 = 3.5."""
    model = torch.nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        model.weight.fill_(1.0)
    ema = Ema(model, decay=0.5)
    for value in (3.0, 5.0):
        with torch.no_grad():
            model.weight.fill_(value)
        ema.update(1000)

    assert ema.state_dict()["weight"].item() == 3.5


@pytest.mark.parametrize(("step", "decay"), [(0, 0.1), (8, 0.5), (90, 0.91), (10**6, 0.999)])
def test_early_averages_forget_faster(step: int, decay: float) -> None:
    """min(0.999, (1 + t) / (10 + t))."""
    assert Ema(TinyDualEncoder(), decay=0.999).decay_at(step) == pytest.approx(decay)


def test_float_buffers_are_averaged_and_counters_copied() -> None:
    """Trap 26: statistics of batch norm follow like weights, its counter is a whole number."""
    model = TinyDualEncoder()
    ema = Ema(model, decay=0.5)
    before = model.norm.running_mean.clone()
    move(model, 1)

    ema.update(1000)

    average = ema.state_dict()
    torch.testing.assert_close(average["norm.running_mean"], (before + model.norm.running_mean) / 2)
    assert average["norm.num_batches_tracked"].dtype == torch.int64
    assert average["norm.num_batches_tracked"].item() == 1


def test_locked_weights_and_constants_are_no_part_of_it() -> None:
    """Trap 26: what cannot change needs no average, and a mask of -inf would become NaN."""
    model = clip_vit()
    model.visual.requires_grad_(requires_grad=False)
    ema = Ema(model, decay=0.9)
    ema.update(0)

    names = set(ema.state_dict())

    assert names == {name for name, value in model.named_parameters() if value.requires_grad}
    assert "attn_mask" in dict(model.named_buffers())


def test_what_does_not_move_stays_to_the_bit() -> None:
    """Averaging equal weights is the identity."""
    model = TinyDualEncoder()
    ema = Ema(model, decay=0.7)
    before = snapshot(model)
    for step in range(20):
        ema.update(step)

    assert_same(ema.state_dict(), before)


def test_the_average_is_applied_and_the_weights_come_back() -> None:
    """Evaluate and export the average; training goes on from the weights, bit for bit."""
    model = TinyDualEncoder()
    ema = Ema(model, decay=0.5)
    move(model, 1)
    ema.update(10)
    trained = snapshot(model)

    with ema.applied():
        applied = snapshot(model)

    assert_same(applied, ema.state_dict())
    assert not torch.equal(applied["image.weight"], trained["image.weight"])
    assert_same(snapshot(model), trained)


def test_the_weights_come_back_after_an_error() -> None:
    """An evaluation that fails leaves the model as it was."""
    model = TinyDualEncoder()
    ema = Ema(model, decay=0.5)
    move(model, 1)
    trained = snapshot(model)

    with pytest.raises(ZeroDivisionError), ema.applied():
        raise ZeroDivisionError

    assert_same(snapshot(model), trained)


def test_a_resumed_average_goes_on_to_the_bit() -> None:
    """Trap 26: stored after two steps and loaded, it ends as the one that never stopped."""
    model = TinyDualEncoder()
    whole = Ema(model, decay=0.9)
    for step in range(2):
        move(model, step)
        whole.update(step)
    stored = save_safetensors(whole.state_dict())
    twin = TinyDualEncoder(seed=7)
    twin.load_state_dict(model.state_dict())
    resumed = Ema(twin, decay=0.9)
    resumed.load_state_dict(load_safetensors(stored))

    for step in range(2, 5):
        for each in (model, twin):
            move(each, step)
        whole.update(step)
        resumed.update(step)

    assert_same(resumed.state_dict(), whole.state_dict())


def test_it_follows_a_model_that_is_moved() -> None:
    """Moving a model replaces its tensors; the average reads the new ones."""
    model = TinyDualEncoder()
    before = model.image.bias.detach().clone()
    ema = Ema(model, decay=0.5)
    for parameter in model.parameters():
        parameter.data = torch.zeros_like(parameter)

    ema.update(10**6)

    assert torch.equal(ema.state_dict()["image.bias"], before / 2)


def test_an_average_of_other_weights_is_refused() -> None:
    """The message names the first difference."""
    ema = Ema(TinyDualEncoder(), decay=0.9)
    other = Ema(TinyDualEncoder(dim=3), decay=0.9).state_dict()

    with pytest.raises(ConflictError, match=r"shape \(3,\) for image\.bias, this model \(4,\)"):
        ema.load_state_dict(other)
    with pytest.raises(ConflictError, match=r"shape none for image\.bias"):
        ema.load_state_dict({})


def test_an_average_in_the_model_is_not_updated() -> None:
    """It would average itself."""
    ema = Ema(TinyDualEncoder(), decay=0.9)

    with ema.applied():
        with pytest.raises(TrainingError, match="update it after the evaluation"):
            ema.update(0)
        with pytest.raises(TrainingError, match="in the model already"), ema.applied():
            pass
