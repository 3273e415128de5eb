"""What a recipe would do with the data: the few settings that the doctor judges."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from encoders.loading import require_training_extra
from training.doctor.model_facts import ModelFacts, facts_of_config

if TYPE_CHECKING:
    from training.towers.open_clip_model import ModelConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlan:
    """The settings of a recipe, or the defaults where none is given."""

    recipe: str = ""
    """Path of the recipe; empty where none was given."""
    batch_size: int = 0
    """Pairs per step; 0 where no recipe says so."""
    learning_rate: float = 0.0
    """0 where no recipe says so."""
    pretrained: bool = False
    """Whether it starts from pretrained weights."""
    fine_tunes: bool = False
    """Whether all of those are trained, so that a high rate would destroy them."""
    image_column: str = ""
    """As ``data.image_column``."""
    caption_column: str = ""
    """As ``data.caption_column``."""
    image_root: str = ""
    """As ``data.image_root``."""
    decode_margin: float = 1.15
    """Side of a cached picture over the model's, as ``data.decode_margin``."""
    cache_limit_mb: float = 2048.0
    """Room of ``data.cache`` in MB, as ``data.cache_limit_mb``."""


def read_recipe(recipe: Path) -> tuple[RunPlan, ModelFacts]:
    """Return what a recipe plans, and its model.

    Raises:
        ConfigError: the recipe cannot be read, or open_clip does not know its model.
        EncoderError: the training packages are not installed.
    """
    try:
        from training.config import load_config
    except ImportError as error:
        raise require_training_extra(error) from error
    config = load_config(recipe, {})
    pretrained = _is_pretrained(config.model)
    plan = RunPlan(
        recipe=str(recipe),
        batch_size=config.data.batch_size,
        learning_rate=config.optimiser.learning_rate,
        pretrained=pretrained,
        fine_tunes=pretrained and all(one.mode == "full" for _, one in config.towers.items()),
        image_column=config.data.image_column,
        caption_column=config.data.caption_column,
        image_root=config.data.image_root,
        decode_margin=config.data.decode_margin,
        cache_limit_mb=config.data.cache_limit_mb,
    )
    return plan, facts_of_config(config.model, name=str(recipe))


def _is_pretrained(config: ModelConfig) -> bool:
    from training.towers.open_clip_model import model_source

    source = model_source(config)
    return source is not None and source.holds_weights
