"""Rules of recipes and settings."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import get_type_hints

import pytest

from core.errors import ConfigError
from training.config import DataConfig, RunConfig, TrainConfig, load_config, update_settings

ROOT = Path(__file__).parent.parent.parent
RECIPES = sorted(path for path in (ROOT / "configs").glob("*.toml") if path.name != "starter.toml")


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_loads_and_says_when_to_use_it(recipe: Path) -> None:
    """All keys are known and in range, and a comment helps to choose."""
    config = load_config(recipe, {})

    assert config != TrainConfig()
    assert "When to use it:" in recipe.read_text()


def test_overrides_win_over_the_recipe(tmp_path: Path) -> None:
    """Values are parsed from text by the type of their field, nested sections too."""
    recipe = tmp_path / "a.toml"
    recipe.write_text("[optimiser]\nlearning_rate = 1e-4\n[data]\nbatch_size = 32\n")
    overrides = {
        "optimiser.learning_rate": "1e-3",
        "data.augmentation.crop_scale": "0.5, 1.0",
        "run.device": "cpu",
    }

    config = load_config(recipe, overrides)

    assert config.optimiser.learning_rate == 1e-3
    assert config.data.batch_size == 32
    assert config.data.augmentation.crop_scale == (0.5, 1.0)
    assert config.run.device == "cpu"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[optimizer]\nlearning_rate = 1", "unknown setting 'optimizer'; did you mean 'optimiser'"),
        ("[data]\nbatchsize = 1", "did you mean 'batch_size'"),
        ("[run]\nprecision = 'half'", "expected one of float32, bfloat16"),
        ("[data]\nbatch_size = 1", "data.batch_size = 1: expected at least 2"),
        ("[data.augmentation]\nflip = 2", "data.augmentation.flip = 2"),
        ("[model]\narchitecture = {embed_dim = 8}", "has no 'text_cfg'"),
    ],
)
def test_a_wrong_recipe_is_named(tmp_path: Path, text: str, message: str) -> None:
    """Unknown keys and values out of range are refused with the remedy."""
    recipe = tmp_path / "a.toml"
    recipe.write_text(text)

    with pytest.raises(ConfigError, match=message):
        load_config(recipe, {})


def test_settings_that_decide_updates_exclude_speed() -> None:
    """Workers, cache and logging may change on resume; batch size and seed may not."""
    settings = update_settings(TrainConfig())
    changed = update_settings(
        TrainConfig(data=DataConfig(workers=7, cache="off"), run=RunConfig(log_every_steps=1))
    )

    assert settings == changed
    assert {"data.batch_size", "run.seed", "optimiser.learning_rate", "model.name"} <= set(settings)


def test_every_setting_is_documented() -> None:
    """docs/train.md names each setting of each section."""
    text = (ROOT / "docs" / "train.md").read_text()

    missing = [
        f"{section}.{field.name}"
        for section, kind in get_type_hints(TrainConfig).items()
        for field in dataclasses.fields(kind)
        if f"`{field.name}`" not in text
    ]
    assert missing == []
