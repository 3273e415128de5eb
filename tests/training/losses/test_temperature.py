"""Rules of the learned temperature: start, clamp, and the bias of the sigmoid."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, cast

import open_clip
import pytest
import torch
from open_clip.factory import load_checkpoint
from torch import nn

from core.errors import TrainingError
from tests.fixtures_models import TINY_VIT
from tests.training.tiny import TinyDualEncoder
from training.losses.config import LossConfig
from training.losses.temperature import clamp_temperature, initialise_temperature, is_at_clamp
from training.towers.dual_encoder import DualEncoder, as_dual_encoder


def tiny(*, log_scale: float = 3.0, bias: float | None = None) -> DualEncoder:
    """Return a model whose temperature and bias stand anywhere."""
    model = TinyDualEncoder()
    model.logit_scale.data.fill_(log_scale)
    if bias is not None:
        model.logit_bias = nn.Parameter(torch.tensor(bias))
    return as_dual_encoder(model)


def values(model: DualEncoder) -> tuple[float, float]:
    """Return inverse temperature and bias."""
    return model.logit_scale.exp().item(), cast("Any", model).logit_bias.item()


def open_clip_model(folder: Path, **extra: object) -> DualEncoder:
    """Build a tiny open_clip model with random weights."""
    folder.mkdir()
    fields = {"model_cfg": {**TINY_VIT, **extra}, "preprocess_cfg": {}}
    (folder / "open_clip_config.json").write_text(json.dumps(fields))
    model = open_clip.create_model(f"local-dir:{folder}", load_weights=False)
    return as_dual_encoder(model)


def test_a_softmax_model_from_scratch_starts_at_the_paper_s_temperature() -> None:
    """Trap 9: the parameter is ln(1/0.07), float32, of zero axes."""
    model = tiny()

    initialise_temperature(model, LossConfig(), pretrained=False)

    assert model.logit_scale.item() == pytest.approx(2.6592600)
    assert (model.logit_scale.dtype, model.logit_scale.ndim) == (torch.float32, 0)


def test_a_sigmoid_model_from_scratch_starts_at_ten_and_minus_ten() -> None:
    """Trap 10: t = ln 10 and b = -10; a model without a bias gets a trainable one."""
    model = tiny()

    initialise_temperature(model, LossConfig(kind="sigmoid"), pretrained=False)

    assert values(model) == pytest.approx((10.0, -10.0))
    assert "logit_bias" in dict(model.named_parameters())


@pytest.mark.parametrize("kind", ["softmax", "sigmoid"])
def test_the_start_can_be_set(kind: Any) -> None:
    """A recipe may start elsewhere."""
    model = tiny(bias=1.0)
    config = LossConfig(kind=kind, initial_scale=30.0, initial_bias=-2.71)

    initialise_temperature(model, config, pretrained=False)

    assert values(model) == pytest.approx((30.0, 1.0 if kind == "softmax" else -2.71))


def test_a_pretrained_softmax_model_keeps_its_temperature() -> None:
    """What was learned is where fine-tuning starts."""
    model = tiny(log_scale=4.6)

    initialise_temperature(model, LossConfig(), pretrained=True)

    assert model.logit_scale.item() == pytest.approx(4.6)


def test_a_pretrained_sigmoid_model_keeps_both() -> None:
    """A bias other than 0 was learned by the sigmoid loss."""
    model = tiny(log_scale=4.7215, bias=-16.5)

    initialise_temperature(model, LossConfig(kind="sigmoid"), pretrained=True)

    assert values(model) == pytest.approx((math.exp(4.7215), -16.5))


def test_clip_weights_in_a_siglip_model_start_anew(tmp_path: Path) -> None:
    """Trap 10: open_clip leaves a bias of 0 there; temperature and bias are set after loading."""
    clip = open_clip_model(tmp_path / "clip")
    torch.save({"state_dict": clip.state_dict()}, tmp_path / "clip.pt")
    model = open_clip_model(tmp_path / "siglip", init_logit_bias=-10)
    load_checkpoint(model, str(tmp_path / "clip.pt"))
    assert values(model)[1] == 0.0

    initialise_temperature(model, LossConfig(kind="sigmoid"), pretrained=True)

    assert values(model) == pytest.approx((10.0, -10.0))


def test_a_bias_that_was_made_fits_open_clip(tmp_path: Path) -> None:
    """The weights load strictly where the config has init_logit_bias, as an export must say."""
    model = open_clip_model(tmp_path / "clip")
    initialise_temperature(model, LossConfig(kind="sigmoid"), pretrained=False)
    loaded = open_clip_model(tmp_path / "siglip", init_logit_bias=0)

    loaded.load_state_dict(model.state_dict(), strict=True)

    assert values(loaded) == pytest.approx((10.0, -10.0))


def test_a_bias_with_axes_is_refused() -> None:
    """The message says what it must be."""
    model = TinyDualEncoder()
    model.logit_bias = nn.Parameter(torch.zeros(1))

    with pytest.raises(TrainingError, match=r"logit_bias must be a float32 nn.Parameter of zero"):
        initialise_temperature(as_dual_encoder(model), LossConfig(kind="sigmoid"), pretrained=False)


@pytest.mark.parametrize(("before", "after"), [(-1.0, 0.0), (2.0, 2.0), (9.0, math.log(100))])
def test_softmax_clamps_the_temperature(before: float, after: float) -> None:
    """Trap 9: the log scale stays in [0, ln 100]."""
    scale = nn.Parameter(torch.tensor(before))

    clamp_temperature(scale, "softmax")

    assert scale.item() == pytest.approx(after)
    assert is_at_clamp(scale, "softmax") == (before != after)


def test_sigmoid_has_no_clamp() -> None:
    """Trap 9: SigLIP SO400M has learned 4.7215, more than ln 100."""
    scale = nn.Parameter(torch.tensor(4.7215))

    clamp_temperature(scale, "sigmoid")

    assert scale.item() == pytest.approx(4.7215)
    assert not is_at_clamp(scale, "sigmoid")
