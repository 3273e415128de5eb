"""Rules of training.towers.computed: sides that are given, and what identifies a tower."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.errors import ConfigError
from tests.training.merging.models import CONFIG, changed
from tests.training.tiny import TinyDualEncoder, tensor_data
from training.towers.computed import (
    FeatureTowers,
    image_embedder,
    token_embedder,
    tower_key,
)
from training.towers.forward import TwoTowers
from training.towers.open_clip_model import BuiltModel, ModelConfig, build_model


@pytest.fixture(scope="module")
def built() -> BuiltModel:
    """Build a tiny model."""
    return build_model(ModelConfig(architecture=CONFIG), seed=0)


def test_computed_sides_are_passed_through() -> None:
    """The other side is run."""
    model, data = TinyDualEncoder(), tensor_data(4)
    towers = FeatureTowers(model, computed={"image"}).eval()
    plain = TwoTowers(model).eval()
    features = torch.ones(4, 4)

    images, texts = towers(features, data.texts)

    assert images is features
    assert texts.equal(plain.texts(data.texts))
    swapped = FeatureTowers(model, computed={"text"}).eval()
    assert swapped.texts(features) is features
    assert swapped.images(data.images).equal(plain.images(data.images))


def test_names_of_parameters_are_those_of_the_plain_towers() -> None:
    """Checkpoints of both fit each other."""
    model = TinyDualEncoder()

    plain = [name for name, _ in TwoTowers(model).named_parameters()]
    assert [name for name, _ in FeatureTowers(model, computed=set()).named_parameters()] == plain


@pytest.mark.parametrize(
    ("name", "sides"),
    [
        ("visual.proj", {"image"}),
        ("visual.class_embedding", {"image"}),
        ("text_projection", {"text"}),
        ("token_embedding.weight", {"text"}),
        ("logit_scale", set()),
    ],
)
def test_a_weight_changes_the_key_of_its_own_tower(
    built: BuiltModel, name: str, sides: set[str]
) -> None:
    """The tower that is trained does not touch the features of the other one."""
    before = {side: tower_key(built.model, side, architecture={}) for side in ("image", "text")}
    parameter = dict(built.model.named_parameters())[name]
    with torch.no_grad():
        kept = parameter.clone()
        parameter += 1
    after = {side: tower_key(built.model, side, architecture={}) for side in ("image", "text")}
    with torch.no_grad():
        parameter.copy_(kept)

    assert {side for side in before if before[side] != after[side]} == sides


def test_statistics_of_batch_norm_are_weights() -> None:
    """They change what the tower gives."""
    config = changed(vision__layers=[1, 1, 1, 1], vision__width=8, vision__image_size=32)
    del config["vision_cfg"]["patch_size"]
    model = build_model(ModelConfig(architecture=config), seed=0).model
    before = tower_key(model, "image", architecture={})
    dict(model.named_buffers())["visual.bn1.running_mean"].add_(1)

    assert tower_key(model, "image", architecture={}) != before


def test_the_architecture_of_the_own_side_is_part_of_the_key(built: BuiltModel) -> None:
    """Heads and activations have no weights; the other tower may change."""

    def key(config: dict[str, object]) -> object:
        return tower_key(built.model, "image", architecture=config)

    assert key(CONFIG) != key(changed(vision__head_width=4))
    assert key(CONFIG) != key({**CONFIG, "quick_gelu": True})
    assert key(CONFIG) == key(changed(text__heads=1))


def test_a_model_without_that_tower_is_refused() -> None:
    """It cannot be told whether its weights changed."""
    with pytest.raises(ConfigError, match="image"):
        tower_key(torch.nn.Linear(2, 2), "image", architecture={})


def test_embedders_equal_the_towers_and_leave_the_mode(built: BuiltModel) -> None:
    """In evaluation mode, without gradients, from pixels and from int32 tokens."""
    towers, device = TwoTowers(built.model, built.preprocessing).train(), torch.device("cpu")
    pixels = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), dtype=np.uint8)
    tokens = built.tokenizer(["one", "two", "three"])

    images = image_embedder(towers, device=device)(pixels)
    texts = token_embedder(towers, tokens.numpy().astype(np.int32), device=device)(slice(1, 3))

    assert towers.training
    mean, std = (torch.tensor(v) for v in (built.preprocessing.mean, built.preprocessing.std))
    inputs = ((torch.from_numpy(pixels) / 255 - mean) / std).permute(0, 3, 1, 2)
    with torch.no_grad():
        built.model.eval()
        assert images == pytest.approx(built.model.encode_image(inputs).numpy(), abs=1e-5)
        assert texts == pytest.approx(built.model.encode_text(tokens[1:]).numpy(), abs=1e-6)
