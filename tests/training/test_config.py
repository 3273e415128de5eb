"""Rules of recipes and settings."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import ConfigError
from training.config import FREE_SETTINGS, RunConfig, TrainConfig, load_config, update_settings
from training.data.config import DataConfig

ROOT = Path(__file__).parent.parent.parent
SETTINGS_PAGE = ROOT / "docs" / "train-settings.md"
KEY = re.compile(r"`([a-z0-9_.]+)`")
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
    """docs/train-settings.md has a row for each setting, nested ones too, with its default."""
    documented = dict(_documented_settings())
    actual = dict(_defaults(TrainConfig(), prefix=""))

    assert documented.keys() == actual.keys()
    for name, cell in documented.items():
        assert _parsed(cell, like=actual[name]) == actual[name], name


def test_what_a_resumed_run_may_change_is_documented() -> None:
    """docs/train-settings.md names the free settings, and no other."""
    _, _, section = SETTINGS_PAGE.read_text().partition("## What a resumed run may change")

    assert {name for name in KEY.findall(section) if "." in name} == FREE_SETTINGS


def test_a_setting_without_a_row_would_be_noticed() -> None:
    """Settings are known by their dotted names, so a nested one cannot hide behind another."""
    documented = [name for name, _ in _documented_settings()]

    assert len(documented) == len(set(documented))
    assert {"data.cache", "data.features.cache", "towers.text.lora_rank"} <= set(documented)


def _documented_settings() -> Iterator[tuple[str, str]]:
    """Yield (dotted name, cell of its default) of every row of the page of settings."""
    sections: list[str] = []
    for line in SETTINGS_PAGE.read_text().splitlines():
        if line.startswith("#"):
            sections = re.findall(r"`\[([a-z_.]+)\]`", line)
        elif line.startswith("| `"):
            keys, default = line.split("|")[1:3]
            for section in sections:
                yield from ((f"{section}.{key}", default.strip()) for key in KEY.findall(keys))


def _defaults(config: object, *, prefix: str) -> Iterator[tuple[str, object]]:
    """Yield (dotted name, default) of every setting."""
    assert dataclasses.is_dataclass(config)
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            yield from _defaults(value, prefix=f"{prefix}{field.name}.")
        else:
            yield f"{prefix}{field.name}", value


def _parsed(cell: str, *, like: object) -> object:
    """Return what a cell says, as a value of the kind of ``like``."""
    if like is None or isinstance(like, str):
        return cell or ("" if isinstance(like, str) else None)
    value = tomllib.loads(f"x = {cell or '[]'}")["x"]
    if isinstance(like, tuple):
        numbers = like and isinstance(like[0], float)
        return pytest.approx(tuple(value), rel=1e-4) if numbers else tuple(value)
    return value
