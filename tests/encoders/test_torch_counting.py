"""Rules of encoders.torch_counting: numbers that are known or can be worked out by hand.

# L = tokens, W = width
"""

from __future__ import annotations

from typing import Any

import open_clip
import pytest
import torch
from timm.layers import AttentionPoolLatent
from torch import Tensor, nn
from transformers import BertConfig, BertModel

from encoders.open_clip_building import build_module
from encoders.open_clip_definition import Definition
from encoders.torch_counting import LayerCount, count_layers, count_model, count_parameters
from tests.fixtures_models import TINY_VIT


class Attention(nn.Module):
    """One attention layer from 100 to keys of 36 and values of 25, without biases."""

    def __init__(self) -> None:
        """Make the three matrices."""
        super().__init__()
        self.query = nn.Linear(100, 36, bias=False)
        self.key = nn.Linear(100, 36, bias=False)
        self.value = nn.Linear(100, 25, bias=False)

    def forward(self, tokens_1LW: Tensor) -> Tensor:
        """Attend to all tokens."""
        scores = self.query(tokens_1LW) @ self.key(tokens_1LW).transpose(1, 2)
        return torch.softmax(scores / 6.0, dim=-1) @ self.value(tokens_1LW)


def by_name(layers: tuple[LayerCount, ...]) -> dict[str, LayerCount]:
    """Return layers by their names."""
    return {layer.name: layer for layer in layers}


def with_text(**text_cfg: Any) -> nn.Module:
    """Return a tiny model with a text tower of ours."""
    return build_module(Definition({**TINY_VIT, "text_cfg": text_cfg}))


def test_an_attention_layer_has_9700_weights() -> None:
    """Two times 100 x 36 for queries and keys and 100 x 25 for values."""
    assert count_parameters(Attention()) == 9_700


def test_the_products_of_attention_are_counted() -> None:
    """Of 7 tokens: 7 x 9700 for the matrices, 7 x 7 x 36 for scores, 7 x 7 x 25 for values."""
    counts = count_layers(Attention(), (torch.zeros(1, 7, 100),))

    assert counts[0].multiply_adds == 7 * 9_700 + 7 * 7 * (36 + 25)
    assert by_name(counts)["value"] == LayerCount("value", "Linear", 2_500, 7 * 2_500)


def test_a_feed_forward_has_40300_parameters() -> None:
    """100 x 200 + 200 and 200 x 100 + 100; one vector costs the two matrices."""
    feed_forward = nn.Sequential(nn.Linear(100, 200), nn.ReLU(), nn.Linear(200, 100))

    counts = count_layers(feed_forward, (torch.zeros(1, 100),))

    assert [(layer.name, layer.parameters) for layer in counts] == [
        ("", 40_300),
        ("0", 20_200),
        ("2", 20_100),
    ]
    assert counts[0].multiply_adds == 40_000


def test_a_grouped_convolution_costs_its_own_weights_for_each_place() -> None:
    """Depthwise: 9 weights for each of 4 channels at 6 x 6 places."""
    convolution = nn.Conv2d(4, 4, 3, groups=4, bias=False)

    assert count_layers(convolution, (torch.zeros(1, 4, 8, 8),))[0].multiply_adds == 36 * 36


def test_shared_weights_are_counted_once() -> None:
    """And worked with twice."""
    layer = nn.Linear(3, 3, bias=False)

    assert count_layers(nn.Sequential(layer, layer), (torch.zeros(1, 3),))[0] == LayerCount(
        "", "Sequential", 9, 18
    )


@pytest.mark.slow
def test_vit_b_32_has_its_published_numbers() -> None:
    """151,277,313 parameters; 4.4 G multiply-adds for a picture, 3.0 G for a full text."""
    count = count_model(open_clip.create_model("ViT-B-32"), image_size=224, context_length=77)

    assert count.parameters == 151_277_313
    assert count.image[0].parameters == 87_849_216
    assert count.text[0].parameters == 151_277_313 - 87_849_216 - 1
    assert count.image[0].multiply_adds == pytest.approx(4.41e9, rel=0.005)
    assert count.text[0].multiply_adds == pytest.approx(2.98e9, rel=0.01)


@pytest.mark.slow
def test_rn50_has_its_published_numbers() -> None:
    """38,316,896 parameters in the image tower, of which 14.8 million are attention pooling."""
    count = count_model(open_clip.create_model("RN50"), image_size=224, context_length=77)

    assert (count.parameters, count.image[0].parameters) == (102_007_137, 38_316_896)
    assert by_name(count.image)["attnpool"].parameters == 14_789_632
    assert count.image[0].multiply_adds == pytest.approx(6.11e9, rel=0.005)


def test_deeper_levels_add_up() -> None:
    """The blocks of the transformer are all that it has."""
    model = build_module(Definition(TINY_VIT))
    layers = by_name(count_model(model, image_size=32, context_length=77, depth=3).image)

    blocks = [layers[f"transformer.resblocks.{number}"] for number in range(2)]
    assert layers["transformer"].parameters == sum(block.parameters for block in blocks)
    assert layers["transformer"].multiply_adds == sum(block.multiply_adds for block in blocks) > 0


def test_an_lstm_is_counted() -> None:
    """Four gates of two W x W matrices and two biases; 20 steps; one projection to 16."""
    model = with_text(tower="lstm", width=8, layers=1, vocab_size=10, context_length=20)

    layers = by_name(count_model(model, image_size=32, context_length=20).text)

    assert layers["lstm"].parameters == 4 * (2 * 8 * 8 + 2 * 8)
    assert layers["lstm"].multiply_adds == 20 * 4 * 2 * 8 * 8
    assert layers[""].multiply_adds == 20 * 4 * 2 * 8 * 8 + 8 * 16


def test_a_bag_of_words_costs_its_projection() -> None:
    """Looking up a table is no product."""
    model = with_text(tower="cbow", width=8, vocab_size=10, context_length=20)

    assert count_model(model, image_size=32, context_length=20).text[0] == LayerCount(
        "", "CbowTextTower", 10 * 8 + 8 * 16, 8 * 16
    )


def test_a_tower_of_transformers_is_counted() -> None:
    """BERT looks at values of its mask: one block of width 8 with 6 tokens, by hand."""
    config = BertConfig(
        vocab_size=10,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
    )
    bert = BertModel(config, add_pooling_layer=False)

    total = count_layers(bert, (torch.ones(1, 6, dtype=torch.int64),))[0]

    assert total.multiply_adds == 6 * (4 * 8 * 8 + 2 * 8 * 16) + 2 * 6 * 6 * 8


def test_counting_changes_nothing() -> None:
    """Mode, weights and device are those of before."""
    model = build_module(Definition(TINY_VIT)).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}

    count_model(model, image_size=32, context_length=77)

    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_tower_that_attends_with_a_parameter_is_counted() -> None:
    """SigLIP's pooling: one learned query of width 8 over 5 tokens, by hand."""
    pool = AttentionPoolLatent(8, num_heads=2, mlp_ratio=2.0)

    total = count_layers(pool, (torch.zeros(1, 5, 8),))[0]

    query, keys_and_values, output = 8 * 8, 5 * 8 * 16, 8 * 8
    assert total.multiply_adds == query + keys_and_values + 2 * 5 * 8 + output + 2 * 8 * 16
