"""Rules of whole runs whose towers are locked, adapted or of another loss."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import open_clip
import pytest
import torch
from safetensors.torch import load_file

from core.errors import ConfigError
from tests.training.test_run import request
from tests.training.towers.test_open_clip_model import TINY_TIMM
from training.config import TrainConfig
from training.data.tensor_data import TensorData
from training.losses.config import LossConfig
from training.run import TrainRequest, prepared_model, run_training
from training.run_values import RunData
from training.schedule import ScheduleConfig
from training.towers.config import TowerConfig, TowersConfig
from training.towers.open_clip_model import ModelConfig
from training.trainer import Trainer

TINY_RESNET = {
    "embed_dim": 8,
    "vision_cfg": {"image_size": 32, "layers": [1, 1, 1, 1], "width": 8},
    "text_cfg": {"context_length": 8, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}
"""A ModifiedResNet, which has batch norm."""


def asked(folder: Path, **changes: object) -> TrainRequest:
    """Return a short run with changed sections of its recipe."""
    base = request(folder)
    config: TrainConfig = replace(base.config, **changes)  # type: ignore[arg-type]
    return replace(base, config=config)


def exported(folder: Path) -> dict[str, torch.Tensor]:
    """Return the weights that a run exported."""
    return load_file(folder / "run" / "model" / "open_clip_model.safetensors")


def test_a_locked_tower_is_exported_byte_for_byte(tmp_path: Path) -> None:
    """Trap 4: nothing of it moves, batch statistics included, while the other tower learns."""
    towers = TowersConfig(image=TowerConfig(mode="locked"))
    ask = asked(tmp_path, model=ModelConfig(architecture=TINY_RESNET), towers=towers)
    before = {
        name: value.clone() for name, value in prepared_model(ask.config).model.state_dict().items()
    }

    run_training(ask)

    after = exported(tmp_path)
    visual = [name for name in before if name.startswith("visual.")]
    assert any("running_mean" in name for name in visual)
    assert all(torch.equal(before[name], after[name]) for name in visual)
    assert not torch.equal(before["token_embedding.weight"], after["token_embedding.weight"])


@pytest.mark.slow
def test_a_lora_run_exports_plain_weights(tmp_path: Path) -> None:
    """The folder has the names of the base model and loads in open_clip; the updates are in it."""
    towers = TowersConfig(text=TowerConfig(mode="lora", lora_rank=2))
    ask = asked(tmp_path, towers=towers)
    base = prepared_model(replace(ask.config, towers=TowersConfig())).model.state_dict()

    run_training(ask)

    after = exported(tmp_path)
    assert after.keys() == base.keys()
    name = "transformer.resblocks.0.mlp.c_fc.weight"
    assert not torch.equal(after[name], base[name])
    assert torch.equal(after["token_embedding.weight"], base["token_embedding.weight"])
    model = open_clip.create_model(f"local-dir:{tmp_path / 'run' / 'model'}")
    assert torch.equal(model.state_dict()[name], after[name])


def test_a_sigmoid_run_keeps_its_bias(tmp_path: Path) -> None:
    """Trap 10: it starts at -10 and 10, is learned, and open_clip loads it."""
    ask = asked(tmp_path, loss=LossConfig(kind="sigmoid"))

    run_training(ask)

    after = exported(tmp_path)
    model = open_clip.create_model(f"local-dir:{tmp_path / 'run' / 'model'}")
    assert after["logit_bias"].item() != -10
    assert after["logit_bias"].item() == pytest.approx(-10, abs=0.1)
    assert after["logit_scale"].exp().item() == pytest.approx(10, rel=0.05)
    assert model.logit_bias.item() == after["logit_bias"].item()


def test_batch_statistics_of_chunks_are_refused(tmp_path: Path) -> None:
    """Trap 4: batch norm would see a chunk; the message names the way out, which works."""
    ask = asked(tmp_path, model=ModelConfig(architecture=TINY_RESNET))
    chunked = replace(ask.config, run=replace(ask.config.run, chunk_size=3))

    with pytest.raises(ConfigError, match=r"freeze_batch_norm = true"):
        run_training(replace(ask, config=chunked))

    frozen = TowersConfig(image=TowerConfig(freeze_batch_norm=True))
    outcome = run_training(replace(ask, config=replace(chunked, towers=frozen)))
    assert outcome.result.steps == outcome.result.horizon


def test_pictures_grow_during_a_run(tmp_path: Path) -> None:
    """The first half of the steps sees 32 pixels, the second the 48 of the model."""
    model = ModelConfig(architecture=TINY_TIMM, image_size=48)
    sizes = ScheduleConfig(epochs=4, image_sizes=(32, 48))
    ask = asked(tmp_path, model=model, schedule=sizes)
    seen: list[int] = []
    built = prepared_model(ask.config)
    built.model.visual.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape[-1]))
    data = TensorData(torch.randn(9, 3, 48, 48), torch.randint(1, 9, (9, 8)))

    Trainer(built.model, RunData(data), ask.config, tmp_path / "run").fit()

    assert seen == [32, 32, 48, 48]


def test_sizes_that_do_not_end_with_the_models_own_are_refused(tmp_path: Path) -> None:
    """The message names it."""
    ask = asked(tmp_path, schedule=ScheduleConfig(epochs=4, image_sizes=(16, 24)))

    with pytest.raises(ConfigError, match=r"image_sizes = \[16, 24\].*own, 32"):
        run_training(ask)
