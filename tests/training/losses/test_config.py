"""Rules of the section [loss]."""

from __future__ import annotations

from typing import Any

import pytest

from core.config import from_mapping, with_overrides
from core.errors import ConfigError
from training.losses.config import LossConfig


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("label_smoothing", 1.0, r"loss.label_smoothing = 1: expected between 0 and 0.9"),
        ("tile_rows", 0, r"loss.tile_rows = 0: expected at least 1"),
        ("matryoshka_dims", (0, 8), r"loss.matryoshka_dims = 0: expected at least 1"),
        ("matryoshka_dims", (16, 8), r"\[16, 8\]: expected ascending"),
        ("matryoshka_dims", (8, 8), r"\[8, 8\]: expected ascending"),
        ("matryoshka_weights", (1.0,), r"1 numbers for 0 loss.matryoshka_dims"),
        ("distillation_weight", -1.0, r"loss.distillation_weight = -1"),
        ("distillation_scale", -1.0, r"loss.distillation_scale = -1"),
        ("distillation_scale", 50.0, r"needs loss.distillation_weight"),
        ("initial_scale", -1.0, r"loss.initial_scale = -1"),
        ("initial_bias", float("nan"), r"loss.initial_bias = nan"),
    ],
)
def test_a_setting_out_of_range_is_refused(setting: str, value: object, message: str) -> None:
    """The message names the setting, its value and what is expected."""
    values: dict[str, Any] = {setting: value}

    with pytest.raises(ConfigError, match=message):
        LossConfig(**values)


def test_weights_of_matryoshka_must_be_positive() -> None:
    """A dimension of weight zero would be computed for nothing."""
    with pytest.raises(
        ConfigError, match=r"loss.matryoshka_weights = 0: expected a number above 0"
    ):
        LossConfig(matryoshka_dims=(8,), matryoshka_weights=(0.0,))


def test_label_smoothing_is_for_softmax_alone() -> None:
    """A setting without effect is refused, not ignored."""
    with pytest.raises(ConfigError, match=r"needs loss.kind = softmax"):
        LossConfig(kind="sigmoid", label_smoothing=0.1)


def test_a_recipe_fills_it() -> None:
    """Lists come from TOML, or from --set with commas."""
    config = from_mapping(LossConfig, {"kind": "sigmoid", "matryoshka_dims": [64, 128]}, where="r")

    assert config == LossConfig(kind="sigmoid", matryoshka_dims=(64, 128))
    assert with_overrides(config, {"matryoshka_dims": "32,64"}, where="s").matryoshka_dims == (
        32,
        64,
    )


def test_another_kind_is_refused() -> None:
    """The known ones are named."""
    with pytest.raises(ConfigError, match="expected one of softmax, sigmoid"):
        from_mapping(LossConfig, {"kind": "triplet"}, where="recipe.toml")
