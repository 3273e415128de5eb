"""Rules of checkpoints on disk."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from core.errors import ArtifactError, ConflictError, IntegrityError, TrainingError
from tests.training.tiny import TinyDualEncoder
from training.checkpoint import (
    checkpoint_folder,
    list_checkpoints,
    prune_checkpoints,
    read_checkpoint,
    restore_optimiser,
    restore_weights,
    write_checkpoint,
)
from training.optimiser import OptimiserConfig, build_optimiser
from training.state import TrainingState

STATE = TrainingState(
    step=7,
    epoch=1,
    cursor=2,
    horizon=15,
    seed=3,
    data_fingerprint="ab" * 32,
    settings={"data.batch_size": 8, "model.name": "tiny"},
    best_step=5,
    best_value=0.25,
    best_metrics={"mean_mrr": 0.25},
)


def stepped(seed: int = 0) -> tuple[TinyDualEncoder, torch.optim.AdamW]:
    """Return a model and its optimiser after one step."""
    model = TinyDualEncoder(seed=seed)
    optimiser = build_optimiser(model, OptimiserConfig())
    (model.encode_image(torch.ones(3, 6)).sum() * model.logit_scale).backward()
    optimiser.step()
    return model, optimiser


def test_everything_comes_back(tmp_path: Path) -> None:
    """Weights, buffers, optimiser and state are read as they were written."""
    model, optimiser = stepped()
    write_checkpoint(tmp_path / "a", model=model, optimiser=optimiser, state=STATE)
    other = TinyDualEncoder(seed=5)
    other_optimiser = build_optimiser(other, OptimiserConfig())

    checkpoint = read_checkpoint(tmp_path / "a")
    restore_weights(other, checkpoint)
    restore_optimiser(other_optimiser, checkpoint)

    assert checkpoint.state == STATE
    for name, value in model.state_dict().items():
        assert torch.equal(value, other.state_dict()[name])
    moments = other_optimiser.state[other.image.weight]
    expected = optimiser.state[model.image.weight]
    assert moments.keys() == expected.keys() == {"step", "exp_avg", "exp_avg_sq"}
    assert all(torch.equal(expected[key], moments[key]) for key in expected)


def test_state_keeps_the_memory_order_of_its_parameter(tmp_path: Path) -> None:
    """The fused AdamW walks both as flat memory, so a channels-last weight needs such state."""
    model = nn.Sequential(nn.Conv2d(3, 4, 3)).to(memory_format=torch.channels_last)
    optimiser = build_optimiser(model, OptimiserConfig())
    model(torch.ones(1, 3, 5, 5)).sum().backward()
    optimiser.step()
    write_checkpoint(tmp_path / "a", model=model, optimiser=optimiser, state=STATE)
    fresh = build_optimiser(model, OptimiserConfig())

    restore_optimiser(fresh, read_checkpoint(tmp_path / "a"))

    weight = next(model.parameters())
    assert fresh.state[weight]["exp_avg"].stride() == weight.stride()
    assert torch.equal(fresh.state[weight]["exp_avg"], optimiser.state[weight]["exp_avg"])


def test_tied_weights_are_written(tmp_path: Path) -> None:
    """Two names for one tensor are two entries, and both come back."""
    model = nn.ModuleDict({"a": nn.Linear(2, 2), "b": nn.Linear(2, 2)})
    model["b"].weight = model["a"].weight
    write_checkpoint(tmp_path / "a", model=model, optimiser=None, state=STATE)

    weights = read_checkpoint(tmp_path / "a").weights

    assert torch.equal(weights["a.weight"], weights["b.weight"])


def test_a_flipped_byte_is_noticed(tmp_path: Path) -> None:
    """The digest in the manifest differs, and the message names the file."""
    model, optimiser = stepped()
    write_checkpoint(tmp_path / "a", model=model, optimiser=optimiser, state=STATE)
    path = tmp_path / "a" / "optimiser.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))

    with pytest.raises(IntegrityError, match=r"optimiser\.safetensors is damaged"):
        read_checkpoint(tmp_path / "a")


def test_something_else_is_no_checkpoint(tmp_path: Path) -> None:
    """A folder without a manifest is refused."""
    with pytest.raises(ArtifactError, match=r"manifest\.json does not exist"):
        read_checkpoint(tmp_path)


def test_a_disk_that_refuses_leaves_the_earlier_checkpoint(tmp_path: Path) -> None:
    """The error says so, and no half folder stays behind."""
    model, optimiser = stepped()
    write_checkpoint(tmp_path / "a", model=model, optimiser=optimiser, state=STATE)
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(TrainingError, match="earlier checkpoints are intact"):
        write_checkpoint(tmp_path / "file" / "b", model=model, optimiser=optimiser, state=STATE)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "file"]
    assert read_checkpoint(tmp_path / "a").state == STATE


def test_optimiser_state_of_an_unknown_parameter_is_refused(tmp_path: Path) -> None:
    """A locked tower in this run but not in that one would silently start afresh."""
    model, optimiser = stepped()
    write_checkpoint(tmp_path / "a", model=model, optimiser=optimiser, state=STATE)
    model.image.requires_grad_(requires_grad=False)
    locked = build_optimiser(model, OptimiserConfig())

    with pytest.raises(ConflictError, match=r"trains image\.bias"):
        restore_optimiser(locked, read_checkpoint(tmp_path / "a"))


def test_the_newest_are_kept(tmp_path: Path) -> None:
    """Pruning goes by step; other folders are not touched."""
    model, optimiser = stepped()
    (tmp_path / "notes").mkdir()
    for step in (5, 100, 20):
        target = checkpoint_folder(tmp_path, step)
        write_checkpoint(target, model=model, optimiser=optimiser, state=STATE)

    prune_checkpoints(tmp_path, keep=2)

    assert [path.name for path in list_checkpoints(tmp_path)] == ["step-00000020", "step-00000100"]
    assert (tmp_path / "notes").is_dir()
