"""Which embeddings of locked towers are kept: the section ``[data.features]`` of a recipe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from core.errors import ConfigError
from training.data.augmentation import AugmentationConfig
from training.ranges import check_range

FeatureType = Literal["float32", "float16"]

_MOST_VIEWS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureConfig:
    """Whether embeddings of locked towers are kept: the section ``[data.features]``."""

    cache: bool = False
    """Run each tower that is locked whole once over all data and train on what it gave."""
    dtype: FeatureType = "float32"
    """On disk; ``float16`` takes half the room and rounds embeddings to 3 digits."""
    views: int = 0
    """Augmented views of each picture that are embedded, one of which an epoch shows; 0 embeds the
    plain picture and needs ``data.augmentation.enabled = false``."""

    def __post_init__(self) -> None:
        """Refuse settings that would have no effect."""
        check_range("data.features.views", self.views, low=0, high=_MOST_VIEWS)
        if not self.cache and self.views:
            raise ConfigError("data.features.views needs data.features.cache = true")


@dataclass(frozen=True, slots=True)
class Views:
    """The augmented views of every picture, each a function of (seed, view, content)."""

    count: int
    augmentation: AugmentationConfig
    seed: int
    margin: float
    """Side of the decoded picture over the model's."""


def views_of(
    config: FeatureConfig, augmentation: AugmentationConfig, *, seed: int, margin: float
) -> Views | None:
    """Return the views that a recipe asks for; ``None`` is the plain picture.

    Raises:
        ConfigError: random augmentation and plain features, or views without anything random.
    """
    if augmentation.enabled and not config.views:
        raise ConfigError(
            "data.features.cache embeds each picture once, but data.augmentation would change it "
            "in every epoch; set data.augmentation.enabled = false, or data.features.views = 4 to "
            "embed 4 augmented views of each, or data.features.cache = false"
        )
    if config.views and not augmentation.enabled:
        raise ConfigError(
            f"data.features.views = {config.views} needs data.augmentation.enabled = true; "
            "without it all views are the same"
        )
    return Views(config.views, augmentation, seed, margin) if config.views else None
