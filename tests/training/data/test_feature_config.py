"""Rules of training.data.feature_config: what may be cached."""

from __future__ import annotations

import pytest

from core.errors import ConfigError
from training.data.augmentation import AugmentationConfig
from training.data.feature_config import FeatureConfig, views_of

OFF, ON = AugmentationConfig(enabled=False), AugmentationConfig()


def test_plain_features_need_plain_pictures() -> None:
    """Random crops would be frozen into one; the message has the three ways out."""
    with pytest.raises(ConfigError) as caught:
        views_of(FeatureConfig(cache=True), ON, seed=0, margin=1.15)

    for remedy in ("augmentation.enabled = false", "features.views = 4", "features.cache = false"):
        assert remedy in str(caught.value)


def test_views_need_augmentation() -> None:
    """Otherwise all views are the same picture."""
    with pytest.raises(ConfigError, match="all views are the same"):
        views_of(FeatureConfig(cache=True, views=2), OFF, seed=0, margin=1.15)


def test_views_as_asked() -> None:
    """None is the plain picture."""
    assert views_of(FeatureConfig(cache=True), OFF, seed=0, margin=1.15) is None
    views = views_of(FeatureConfig(cache=True, views=3), ON, seed=7, margin=1.15)
    assert views is not None
    assert (views.count, views.augmentation, views.seed, views.margin) == (3, ON, 7, 1.15)


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"views": -1, "cache": True}, "at least|between"), ({"views": 2}, "cache = true")],
)
def test_settings_without_sense_are_refused(settings: dict[str, int], message: str) -> None:
    """Views without a cache would do nothing."""
    with pytest.raises(ConfigError, match=message):
        FeatureConfig(**settings)
