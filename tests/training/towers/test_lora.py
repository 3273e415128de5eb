"""Rules of LoRA."""

from __future__ import annotations

import copy

import pytest
import torch

from core.errors import ConfigError
from tests.training.towers.families import (
    FAMILIES,
    bert,
    captions,
    clip_resnet,
    clip_vit,
    lstm,
    pictures,
    siglip,
    state_of,
    step,
)
from training.towers.adapt import adapt_towers
from training.towers.config import TowerConfig, TowersConfig
from training.towers.dual_encoder import DualEncoder
from training.towers.lora import (
    LowRankUpdate,
    has_lora,
    merged_state_dict,
    trainable_state,
)
from training.towers.parts import tower_parts

LORA = TowerConfig(mode="lora", lora_rank=2, lora_alpha=4.0)
BOTH = TowersConfig(image=LORA, text=LORA)
WITH_ATTENTION = ["clip_vit", "clip_resnet", "timm_vit", "siglip", "bert"]


def embeddings(model: DualEncoder) -> torch.Tensor:
    """Return the embeddings of both towers in evaluation mode, with gradients on.

    With gradients on, ``nn.MultiheadAttention`` takes the same path before and after.
    """
    model.eval()
    return torch.stack([model.encode_image(pictures(model)), model.encode_text(captions())])


def trained(family: str = "clip_vit", config: TowerConfig = LORA) -> DualEncoder:
    """Return a model after two steps with updates on both towers."""
    model = FAMILIES[family]()
    adapt_towers(model, TowersConfig(image=config, text=config), seed=0)
    step(model)
    step(model)
    return model


@pytest.mark.parametrize("family", WITH_ATTENTION)
def test_before_training_the_model_is_the_base_to_the_bit(family: str) -> None:
    """The second factor starts at zero."""
    model = FAMILIES[family]()
    before = embeddings(model)
    adapt_towers(model, BOTH, seed=0)

    assert has_lora(model)
    assert torch.equal(embeddings(model), before)


def test_the_update_of_multihead_attention_is_in_effect() -> None:
    """Trap 24: both weights of nn.MultiheadAttention get gradients and change the output.

    The forward of its out_proj is never called, so a wrapper around that module is ignored.
    """
    model = trained()
    attention = model.visual.transformer.resblocks[0].attn
    for name, holder in (("in_proj_weight", attention), ("weight", attention.out_proj)):
        before = embeddings(model)
        update = holder.parametrizations[name][0]
        assert update.up.abs().sum() > 0
        with torch.no_grad():
            update.up.mul_(2)
        assert not torch.equal(embeddings(model), before)


def test_a_hand_made_update() -> None:
    """W + alpha / r * up @ down, here with rank 1 and alpha 3."""
    update = LowRankUpdate(
        torch.zeros(2, 2), TowerConfig(mode="lora", lora_rank=1, lora_alpha=3.0), torch.Generator()
    )
    with torch.no_grad():
        update.down.copy_(torch.tensor([[1.0, 2.0]]))
        update.up.copy_(torch.tensor([[1.0], [-1.0]]))

    merged = update(torch.ones(2, 2))

    assert merged.tolist() == [[4.0, 7.0], [-2.0, -5.0]]


@pytest.mark.parametrize("family", WITH_ATTENTION)
def test_only_the_updates_and_the_temperature_train(family: str) -> None:
    """The base weights stay byte-identical, statistics of batch norm included."""
    model = FAMILIES[family]()
    adapt_towers(model, BOTH, seed=0)
    before = state_of(model)
    step(model)

    moved = {name for name, value in model.state_dict().items() if not value.equal(before[name])}

    assert moved == {
        name for name in moved if name.endswith((".0.up", ".0.down")) or name == "logit_scale"
    }
    assert moved <= set(trainable_state(model))
    assert all(
        name.endswith((".up", ".down")) or name in {"logit_scale", "logit_bias"}
        for name in trainable_state(model)
    )


def test_norms_biases_and_the_projection_train_if_asked() -> None:
    """They are no matrices of a layer, and are exported as they are."""
    config = TowerConfig(mode="lora", lora_train_norms=True, train_projection=True)
    model = trained(config=config)

    names = set(trainable_state(model))

    assert {"visual.proj", "visual.ln_post.weight", "visual.ln_pre.bias"} <= names
    assert "visual.conv1.weight" not in names
    assert "visual.positional_embedding" not in names


@pytest.mark.parametrize(
    ("target", "names"),
    [
        ("attention", {"attn.in_proj_weight", "attn.out_proj.weight"}),
        ("mlp", {"mlp.c_fc.weight", "mlp.c_proj.weight"}),
    ],
)
def test_the_targets_are_the_weights_of_that_kind(target: str, names: set[str]) -> None:
    """Attention is both projections of it; all other matrices of a block are MLP."""
    model = clip_vit()
    adapt_towers(
        model,
        TowersConfig(image=TowerConfig(mode="lora", lora_targets=(target,))),  # type: ignore[arg-type]
        seed=0,
    )
    changed = {name for name in merged_state_dict(model) if name not in model.state_dict()}

    assert changed == {
        f"visual.transformer.resblocks.{block}.{name}" for block in (0, 1) for name in names
    }


def test_custom_attention_blocks_are_found() -> None:
    """open_clip's own attention holds its weight as a parameter, not in a Linear."""
    model = clip_vit(qk_norm=True)
    adapt_towers(model, TowersConfig(image=LORA), seed=0)

    names = trainable_state(model)

    assert any("attn.parametrizations.in_proj_weight" in name for name in names)


def test_the_first_factor_depends_on_the_seed_alone() -> None:
    """Drawing it leaves torch's own generator untouched."""
    torch.manual_seed(5)
    models = []
    for seed in (1, 1, 2):
        model = clip_vit()
        state = torch.get_rng_state()
        adapt_towers(model, BOTH, seed=seed)
        assert torch.equal(torch.get_rng_state(), state)
        models.append(trainable_state(model))

    first, same, other = models
    name = "visual.transformer.resblocks.0.attn.parametrizations.in_proj_weight.0.down"
    text = "transformer.resblocks.0.attn.parametrizations.in_proj_weight.0.down"
    assert torch.equal(first[name], same[name])
    assert not torch.equal(first[name], other[name])
    assert not torch.equal(first[name], first[text])


def test_dropout_draws_from_torchs_generator_and_is_off_in_evaluation() -> None:
    """Two passes under one seed are the same; the merged weights know no dropout."""
    model = trained(config=TowerConfig(mode="lora", lora_dropout=0.5))
    merged = merged_state_dict(model)
    model.train()
    torch.manual_seed(1)
    first = model.encode_image(pictures(model))
    torch.manual_seed(1)
    again = model.encode_image(pictures(model))
    other = model.encode_image(pictures(model))
    plain = clip_vit()
    plain.load_state_dict(merged)

    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(embeddings(model), embeddings(plain))


def test_autocast_rounds_the_sum_not_the_update() -> None:
    """An update below the precision of bfloat16 is still in the weight under autocast."""
    model = trained()
    weight = model.visual.transformer.resblocks[0].mlp.c_fc
    plain = weight.weight
    with torch.autocast("cpu", dtype=torch.bfloat16):
        under_autocast = weight.weight

    assert under_autocast.dtype == torch.float32
    assert torch.equal(under_autocast, plain)


def test_gradient_checkpointing_gives_the_same_gradients() -> None:
    """The updates are computed again inside the blocks."""
    gradients = []
    for checkpointing in (False, True):
        config = TowerConfig(
            mode="lora", lora_dropout=0.5, gradient_checkpointing=checkpointing, lora_rank=2
        )
        model = clip_vit()
        adapt_towers(model, TowersConfig(image=config), seed=0)
        model.train()
        torch.manual_seed(3)
        with torch.no_grad():
            for name, value in model.named_parameters():
                if name.endswith(".up"):
                    value.normal_()
        model.encode_image(pictures(model)).square().sum().backward()
        gradients.append({n: v.grad for n, v in model.named_parameters() if v.grad is not None})

    assert gradients[0].keys() == gradients[1].keys()
    assert any(name.endswith(".down") for name in gradients[0])
    for name, value in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], value, rtol=0, atol=0)


@pytest.mark.slow
def test_torch_compile_traces_the_updates_whole() -> None:
    """No graph break, same embeddings."""
    model = trained()
    model.train()
    compiled = torch.compile(model.visual, backend="aot_eager", fullgraph=True)

    torch.testing.assert_close(compiled(pictures(model)), model.visual(pictures(model)))


def test_a_copy_trains_by_itself() -> None:
    """A deep copy shares nothing with the original."""
    model = trained()
    before = state_of(model)
    twin = copy.deepcopy(model)

    step(twin)

    assert all(value.equal(before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize(
    ("model", "towers", "message"),
    [
        (lstm, TowersConfig(text=LORA), "text tower has no attention or mlp weights"),
        (
            clip_resnet,
            TowersConfig(image=TowerConfig(mode="lora", lora_targets=("mlp",))),
            "image tower has no mlp weights",
        ),
        (
            siglip,
            TowersConfig(image=TowerConfig(mode="lora", train_projection=True)),
            "ends without a projection",
        ),
    ],
)
def test_a_tower_without_the_wanted_weights_is_refused(
    model: object, towers: TowersConfig, message: str
) -> None:
    """The message names tower and targets."""
    with pytest.raises(ConfigError, match=message):
        adapt_towers(model(), towers, seed=0)  # type: ignore[operator]


def test_a_locked_and_a_lora_tower_live_together() -> None:
    """Each tower has its own mode."""
    model = bert()
    adapt_towers(model, TowersConfig(image=TowerConfig(mode="locked"), text=LORA), seed=0)

    assert all(name.startswith("text.") or name == "logit_scale" for name in trainable_state(model))
    assert tower_parts(model).towers["image"].parameters.keys() <= merged_state_dict(model).keys()
