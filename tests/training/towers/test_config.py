"""Rules of the tower settings."""

from __future__ import annotations

import re

import pytest

from core.config import from_mapping
from core.errors import ConfigError
from training.towers.config import TowerConfig, TowersConfig


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"unlocked_layers": -1}, "towers.image.unlocked_layers = -1"),
        ({"learning_rate_scale": 0.0}, "towers.image.learning_rate_scale = 0"),
        ({"layer_decay": 1.5}, "towers.image.layer_decay = 1.5: expected between 0 and 1"),
        ({"layer_decay": 0.0}, "towers.image.layer_decay = 0"),
        ({"lora_rank": 0}, "towers.image.lora_rank = 0"),
        ({"lora_alpha": 0.0}, "towers.image.lora_alpha = 0"),
        ({"lora_dropout": 1.0, "mode": "lora"}, "towers.image.lora_dropout = 1"),
        ({"lora_targets": ()}, "towers.image.lora_targets is empty"),
        ({"patch_dropout": 1.0}, "towers.image.patch_dropout = 1"),
        ({"unlocked_layers": 1}, "unlocked_layers = 1 needs towers.image.mode = locked, not full"),
        ({"train_projection": True}, "train_projection needs towers.image.mode = locked or lora"),
        ({"lora_dropout": 0.1}, "need towers.image.mode = lora, not full"),
        ({"lora_train_norms": True}, "need towers.image.mode = lora, not full"),
        ({"mode": "locked", "patch_dropout": 0.5}, "patch_dropout has no effect on a tower"),
        (
            {"mode": "locked", "gradient_checkpointing": True},
            "gradient_checkpointing has no effect on a tower",
        ),
    ],
)
def test_what_cannot_be_or_has_no_effect_is_refused(
    settings: dict[str, object], message: str
) -> None:
    """The message names section and key."""
    with pytest.raises(ConfigError, match=re.escape(message)):
        from_mapping(TowersConfig, {"image": settings}, where="recipe")


def test_captions_have_no_patches() -> None:
    """Patch dropout on the text tower is refused with the remedy."""
    with pytest.raises(ConfigError, match=r"text\.patch_dropout = 0\.5: captions have no patches"):
        TowersConfig(text=TowerConfig(patch_dropout=0.5))


def test_a_recipe_is_read() -> None:
    """Lists of targets come from TOML and from the command line alike."""
    towers = from_mapping(
        TowersConfig, {"text": {"mode": "lora", "lora_targets": ["attention"]}}, where="recipe"
    )

    assert towers.text.lora_targets == ("attention",)
    assert towers.image == TowerConfig()


@pytest.mark.parametrize(
    ("config", "frozen"),
    [
        (TowerConfig(mode="locked"), True),
        (TowerConfig(mode="locked", unlocked_layers=1), False),
        (TowerConfig(mode="locked", train_projection=True), False),
        (TowerConfig(mode="lora"), False),
        (TowerConfig(), False),
    ],
)
def test_a_tower_is_frozen_only_if_nothing_of_it_trains(
    config: TowerConfig, *, frozen: bool
) -> None:
    """Then its embeddings never change and may be cached."""
    assert config.is_frozen is frozen
