"""Rules of adapted towers in a whole run."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.training.tiny import tiny_config
from tests.training.towers.families import bert, captions, clip_vit, pictures, state_of
from training.checkpoint import list_checkpoints, read_checkpoint
from training.data.tensor_data import TensorData
from training.run_values import RunData
from training.towers.adapt import adapt_towers
from training.towers.config import TowerConfig, TowersConfig
from training.towers.dual_encoder import DualEncoder
from training.towers.lora import merged_state_dict
from training.trainer import Trainer

EVERYTHING = TowersConfig(
    image=TowerConfig(
        mode="lora", lora_rank=2, lora_dropout=0.2, patch_dropout=0.5, gradient_checkpointing=True
    ),
    text=TowerConfig(mode="locked", unlocked_layers=1, gradient_checkpointing=True),
)


def adapted(*, seed: int = 0) -> DualEncoder:
    """Return a model with everything switched on, and BERT's dropout in the unlocked layer."""
    model = bert()
    if seed:
        with torch.no_grad():
            for value in model.parameters():
                value.add_(1.0)
    adapt_towers(model, EVERYTHING, seed=seed)
    return model


def data() -> RunData:
    """Return eight random pairs."""
    return RunData(TensorData(pictures(clip_vit(), 8), captions(8)))


@pytest.mark.slow
def test_a_resumed_run_of_adapted_towers_ends_with_the_same_weights(tmp_path: Path) -> None:
    """Traps 4, 13 and 26: the updates, the average and every dropout go on to the bit."""
    config = tiny_config(epochs=2, batch_size=4, checkpoint_every_steps=1, keep_checkpoints=9)
    config = replace(config, run=replace(config.run, ema_decay=0.9))
    whole = Trainer(adapted(), data(), config, tmp_path / "whole").fit()
    shutil.copytree(tmp_path / "whole", tmp_path / "broken")
    for late in list_checkpoints(tmp_path / "broken" / "checkpoints")[1:]:
        shutil.rmtree(late)

    # Another initialisation shows that everything comes from the checkpoint.
    again = Trainer(adapted(seed=5), data(), config, tmp_path / "broken").fit(resume=True)

    expected, found = read_checkpoint(whole.last), read_checkpoint(again.last)
    assert (whole.steps, again.steps) == (4, 4)
    for wanted, got in (
        (expected.weights, found.weights),
        (expected.optimiser, found.optimiser),
        (expected.ema, found.ema),
    ):
        assert wanted
        assert wanted.keys() == got.keys()
        assert all(torch.equal(value, got[name]) for name, value in wanted.items())


@pytest.mark.slow
def test_the_best_weights_of_a_run_merge_into_the_plain_model(tmp_path: Path) -> None:
    """What was locked is byte-identical to the base in the export, what was not is not."""
    model, plain = adapted(), bert()
    config = tiny_config(epochs=1, batch_size=4)
    result = Trainer(model, data(), config, tmp_path).fit()
    before = state_of(model)
    base = state_of(plain)

    merged = merged_state_dict(model, read_checkpoint(result.best).weights)

    plain.load_state_dict(merged, strict=True)
    changed = {name for name, value in merged.items() if not torch.equal(value, base[name])}
    matrices = ("in_proj_weight", "out_proj.weight", "c_fc.weight", "c_proj.weight")
    unlocked = ("text.transformer.encoder.layer.1.", "text.transformer.pooler.", "text.proj.")
    assert all(
        name == "logit_scale" or name.endswith(matrices) or name.startswith(unlocked)
        for name in changed
    )
    assert any(name.endswith("in_proj_weight") for name in changed)
    assert any(name.startswith("text.proj.") for name in changed)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
