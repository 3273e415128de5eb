"""Rules of encoders.open_clip_architecture: what is refused, and by which name."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from core.errors import ConfigError
from encoders.open_clip_architecture import check_architecture
from tests.fixtures_models import TINY_VIT

TIMM = {"timm_model_name": "test_convnext", "image_size": 32}


def refused(message: str, **changes: Any) -> None:
    """Change tables of the tiny model and expect it to be refused."""
    architecture = copy.deepcopy(TINY_VIT)
    for section, value in changes.items():
        if isinstance(value, dict) and isinstance(architecture.get(section), dict):
            architecture[section].update(value)
        else:
            architecture[section] = value
    with pytest.raises(ConfigError, match=message):
        check_architecture(architecture, where="model.architecture")


def test_good_architectures_pass() -> None:
    """A transformer, a residual network, a tower of timm, a tower of ours."""
    check_architecture(TINY_VIT, where="x")
    check_architecture({**TINY_VIT, "vision_cfg": {"layers": [1, 1, 1, 1], "width": 8}}, where="x")
    check_architecture({**TINY_VIT, "vision_cfg": TIMM}, where="x")
    check_architecture({**TINY_VIT, "text_cfg": {"tower": "cbow", "width": 8}}, where="x")


def test_a_missing_table_is_named() -> None:
    """open_clip would ignore such a config silently."""
    with pytest.raises(ConfigError, match="no 'vision_cfg'"):
        check_architecture({"embed_dim": 4, "text_cfg": {}}, where="model.architecture")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"quick_gelo": True}, "unknown key 'quick_gelo'; did you mean 'quick_gelu'"),
        ({"vision_cfg": {"widht": 3}}, "vision_cfg: unknown key 'widht'; did you mean 'width'"),
        ({"text_cfg": {"head": 3}}, "text_cfg: unknown key 'head'; did you mean 'heads'"),
        ({"text_cfg": {"towr": "cbow"}}, "did you mean 'tower'"),
        ({"text_cfg": {"tower": "cbov"}}, "did you mean 'cbow'"),
        ({"text_cfg": {"tower": "gru"}}, "expected one of cbow, lstm, rms_transformer"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(changes: dict[str, Any], message: str) -> None:
    """A typing error is never ignored, and never a TypeError."""
    refused(message, **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"embed_dim": "16"}, "embed_dim = '16': expected a whole number"),
        ({"embed_dim": 0}, "embed_dim = 0: expected more than 0"),
        ({"vision_cfg": 3}, "vision_cfg = 3: expected a table"),
        ({"vision_cfg": {"layers": [1, 2]}}, "a list of 4 whole numbers or a whole number"),
        ({"vision_cfg": {"width": 40}}, r"head_width = 16 does not divide .*width = 40"),
        ({"vision_cfg": {"patch_dropout": 1.0}}, "patch_dropout = 1.0: expected at least 0"),
        ({"vision_cfg": {"pool_type": "max"}}, "expected one of 'tok', 'avg', 'none'"),
        ({"vision_cfg": {"timm_model_name": "vgg12"}}, "no such model; did you mean 'vgg1"),
        ({"text_cfg": {"heads": 3}}, r"heads = 3 does not divide .*width = 32"),
        ({"text_cfg": {"context_length": -1}}, "context_length = -1: expected more than 0"),
        ({"text_cfg": {"no_causal_mask": "yes"}}, "expected true or false"),
    ],
)
def test_an_impossible_value_is_refused(changes: dict[str, Any], message: str) -> None:
    """The message says where, what and what is expected."""
    refused(message, **changes)


@pytest.mark.parametrize(
    ("text_cfg", "message"),
    [
        ({"tower": "cbow", "layers": 2}, "unknown setting 'layers'"),
        ({"tower": "lstm", "width": 0}, "text_cfg.width = 0: expected 1 or more"),
        ({"tower": "rms_transformer", "heads": 3, "width": 8}, "does not divide"),
        ({"tower": "rms_transformer", "mlp_ratio": 0.0}, "mlp_ratio = 0.0"),
        ({"tower": "lstm", "width": "wide"}, "expected a whole number"),
    ],
)
def test_towers_of_ours_are_checked_too(text_cfg: dict[str, Any], message: str) -> None:
    """Each has its own settings."""
    with pytest.raises(ConfigError, match=message):
        check_architecture({**TINY_VIT, "text_cfg": text_cfg}, where="model.architecture")


def test_trap_18_max_pooling_of_hugging_face_towers_is_refused() -> None:
    """open_clip's keeps the filling and drops the tokens."""
    refused("expected one of 'mean_pooler'", text_cfg={"hf_pooler_type": "max_pooler"})
