"""Rules of sorting a model into towers, layers and projections."""

from __future__ import annotations

import re

import pytest

from core.errors import ConfigError
from tests.training.tiny import TinyDualEncoder
from tests.training.towers.families import FAMILIES, bert, clip_vit, lstm, siglip, timm_mobilenet
from training.towers.parts import tower_parts


@pytest.mark.parametrize("family", FAMILIES)
def test_every_parameter_is_in_exactly_one_place(family: str) -> None:
    """Nothing is left out and nothing counted twice."""
    model = FAMILIES[family]()
    parts = tower_parts(model)

    places = [parts.rest]
    for tower in parts.towers.values():
        places += [*tower.layers, tower.projection]
    names = [name for place in places for name in place]
    assert sorted(names) == sorted(name for name, _ in model.named_parameters())
    assert set(parts.rest) <= {"logit_scale", "logit_bias"}


@pytest.mark.parametrize("family", FAMILIES)
def test_layers_come_in_depth_order(family: str) -> None:
    """The numbers of blocks never fall from one layer to the next."""
    for tower in tower_parts(FAMILIES[family]()).towers.values():
        numbers = [
            [tuple(map(int, re.findall(r"(?<=\.)\d+(?=\.)", name)))[:2] for name in layer]
            for layer in tower.layers[1:-1]
        ]
        firsts = [min(layer) for layer in numbers]
        if "layer1" not in str(list(tower.parameters)):
            assert firsts == sorted(firsts)


@pytest.mark.parametrize(
    ("family", "image", "text"),
    [
        ("clip_vit", 3, 3),
        ("clip_resnet", 6, 3),
        ("timm_convnext", 10, 3),
        ("timm_vit", 7, 3),
        ("siglip", 9, 3),
        ("bert", 3, 3),
        ("lstm", 3, 2),
    ],
)
def test_the_layers_are_the_stem_and_the_blocks(family: str, image: int, text: int) -> None:
    """Two blocks and a stem make three layers; five bottlenecks and a stem make six."""
    towers = tower_parts(FAMILIES[family]()).towers

    assert (len(towers["image"].layers), len(towers["text"].layers)) == (image, text)


def test_the_places_of_a_clip_model_by_hand() -> None:
    """Embeddings are the stem wherever they are registered; the last norm is of the last block."""
    towers = tower_parts(clip_vit()).towers

    assert set(towers["text"].layers[0]) == {"token_embedding.weight", "positional_embedding"}
    assert {"ln_final.weight", "ln_final.bias"} <= set(towers["text"].layers[-1])
    assert set(towers["text"].projection) == {"text_projection"}
    assert set(towers["image"].layers[0]) == {
        "visual.class_embedding",
        "visual.positional_embedding",
        "visual.conv1.weight",
        "visual.ln_pre.weight",
        "visual.ln_pre.bias",
    }
    assert "visual.ln_post.weight" in towers["image"].layers[-1]
    assert set(towers["image"].projection) == {"visual.proj"}


@pytest.mark.parametrize(
    ("name", "start"),
    [("timm_mobilenet", "visual.trunk.classifier."), ("timm_vit", "visual.head.proj.")],
)
def test_the_projection_of_a_timm_tower(name: str, start: str) -> None:
    """It is open_clip's head, or the trunk's classifier where open_clip adds no head."""
    projection = tower_parts(FAMILIES[name]()).towers["image"].projection

    assert projection
    assert all(parameter.startswith(start) for parameter in projection)


def test_attention_pooling_that_ends_a_tower_belongs_to_its_last_block() -> None:
    """A SigLIP image tower has no projection."""
    tower = tower_parts(siglip()).towers["image"]

    assert tower.projection == {}
    assert "visual.trunk.attn_pool.latent" in tower.layers[-1]


def test_the_two_matrices_of_a_hugging_face_projection_stay_together() -> None:
    """Its pooler belongs to the last block, the MLP behind it is the projection."""
    tower = tower_parts(bert()).towers["text"]

    assert set(tower.projection) == {"text.proj.0.weight", "text.proj.2.weight"}
    assert "text.transformer.pooler.dense.weight" in tower.layers[-1]
    assert all(".embeddings." in name for name in tower.layers[0])


def test_a_tower_without_blocks_is_sorted_by_its_members() -> None:
    """Embedding, then LSTM, then the projection."""
    tower = tower_parts(lstm()).towers["text"]

    assert [next(iter(layer)).split(".")[1] for layer in tower.layers] == ["embedding", "lstm"]
    assert tower.blocks == ()


def test_a_model_of_ones_own_is_told_by_its_attributes() -> None:
    """What is neither image nor text goes to the rest, and nothing is lost."""
    parts = tower_parts(TinyDualEncoder())

    assert set(parts.towers["image"].parameters) == {"image.weight", "image.bias"}
    assert set(parts.rest) == {"logit_scale", "norm.weight", "norm.bias"}


def test_a_tower_that_cannot_be_told_is_named() -> None:
    """The message says how to name it."""
    parts = tower_parts(TinyDualEncoder().norm)

    with pytest.raises(ConfigError, match="no attribute that is its text tower"):
        parts.tower("text")


def test_names_after_lora_still_fall_into_their_layers() -> None:
    """A parametrized weight keeps the place of the plain one."""
    from training.towers.adapt import adapt_towers
    from training.towers.config import TowerConfig, TowersConfig

    model = timm_mobilenet()
    before = [len(layer) for layer in tower_parts(model).towers["text"].layers]
    adapt_towers(model, TowersConfig(text=TowerConfig(mode="lora")), seed=0)

    after = [len(layer) for layer in tower_parts(model).towers["text"].layers]
    assert after == [before[0], before[1] + 8, before[2] + 8]
