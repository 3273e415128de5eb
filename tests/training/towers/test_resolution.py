"""Rules of progressive resolution."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import timm.layers
import torch
from PIL import Image
from torch import nn

from core.errors import ConfigError
from tests.training.towers.families import (
    clip_resnet,
    clip_vit,
    pictures,
    siglip,
    timm_convnext,
    timm_mobilenet,
    timm_vit,
)
from training.towers.dual_encoder import DualEncoder
from training.towers.resolution import (
    accept_image_sizes,
    image_size_at,
    interpolate_positions,
    resize_pictures,
)


def timm_fixed_vit() -> DualEncoder:
    """Return a vision transformer of timm that, unlike test_vit, asserts the size of pictures."""
    return timm_vit("test_vit3", timm_pool="map")


def wide_convnext() -> DualEncoder:
    """Return convolutions that divide the side by 32, at 64 pixels."""
    model: Any = timm_convnext()
    model.visual.set_input_size(64)
    return model  # type: ignore[no-any-return]  # only its size was changed


FLEXIBLE = [
    (clip_vit, 16, 32),
    (clip_resnet, 32, 64),
    (timm_vit, 16, 32),
    (timm_fixed_vit, 16, 32),
    (siglip, 16, 32),
    (wide_convnext, 32, 64),
    (timm_mobilenet, 16, 32),
]


@pytest.mark.parametrize(
    ("horizon", "sizes", "expected"),
    [
        (6, (64, 96, 128), [64, 64, 96, 96, 128, 128]),
        (5, (64, 128), [64, 64, 64, 128, 128]),
        (3, (32,), [32, 32, 32]),
        (1, (64, 96), [64]),
    ],
)
def test_the_sizes_share_the_run(horizon: int, sizes: tuple[int, ...], expected: list[int]) -> None:
    """Equal parts, in order."""
    assert [
        image_size_at(step, horizon=horizon, sizes=sizes) for step in range(horizon)
    ] == expected


def test_a_step_past_the_horizon_keeps_the_last_size() -> None:
    """So the size of the step after the last is no special case."""
    assert image_size_at(7, horizon=6, sizes=(64, 96)) == 96


def test_pictures_of_the_right_size_are_returned_as_they_are() -> None:
    """Bit-identical to no progressive resolution, and no copy."""
    floats = torch.rand(2, 3, 16, 16)
    pixels = torch.zeros(2, 16, 16, 3, dtype=torch.uint8)

    assert resize_pictures(floats, 16) is floats
    assert resize_pictures(pixels, 16) is pixels


def test_pictures_are_resized_as_pillow_does() -> None:
    """Antialiased bicubic; Pillow rounds between its two passes, so one level may differ."""
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    wanted = Image.fromarray(pixels).resize((12, 12), Image.Resampling.BICUBIC)

    resized = resize_pictures(torch.from_numpy(pixels)[None], 12)

    assert resized.dtype == torch.uint8
    assert resized.shape == (1, 12, 12, 3)
    difference = resized[0].int() - torch.from_numpy(np.array(wanted)).int()
    assert difference.abs().max() <= 1


def test_floats_keep_their_type() -> None:
    """A constant stays constant."""
    resized = resize_pictures(torch.full((1, 3, 8, 8), 0.25, dtype=torch.bfloat16), 6)

    assert resized.dtype == torch.bfloat16
    assert resized.shape == (1, 3, 6, 6)
    assert resized.unique().tolist() == [0.25]


def test_positions_are_interpolated_as_timm_does() -> None:
    """Prefix tokens stay, the grid is resized."""
    positions = torch.randn(1, 2 + 16, 5)

    found = interpolate_positions(positions, own_grid=4, grid=3)

    wanted = timm.layers.resample_abs_pos_embed(positions, [3, 3], [4, 4], num_prefix_tokens=2)
    torch.testing.assert_close(found, wanted)
    assert torch.equal(found[:, :2], positions[:, :2])
    torch.testing.assert_close(interpolate_positions(positions[0], own_grid=4, grid=3), found[0])


@pytest.mark.parametrize(("build", "small", "own"), FLEXIBLE)
def test_the_models_own_size_is_the_path_without_it(
    build: Callable[[], DualEncoder], small: int, own: int
) -> None:
    """Bit-identical embeddings and gradients."""
    plain = build()
    model = copy.deepcopy(plain)
    accept_image_sizes(model, (small, own))
    gradients = []
    for each in (plain, model):
        each.eval()
        embedding = each.encode_image(pictures(each, size=own))
        embedding.square().sum().backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        gradients.append([embedding, *(x.grad for x in each.visual.parameters())])

    assert all(
        first is second or torch.equal(first, second)
        for first, second in zip(*gradients, strict=True)
    )


@pytest.mark.parametrize(("build", "small", "own"), FLEXIBLE)
def test_smaller_pictures_train_every_weight(
    build: Callable[[], DualEncoder], small: int, own: int
) -> None:
    """The full position embedding gets a gradient through its interpolation."""
    model = build()
    accept_image_sizes(model, (small, own))
    model.train()

    embedding = model.encode_image(pictures(model, size=small))
    embedding.square().sum().backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped

    positions = [x for name, x in model.visual.named_parameters() if "pos" in name]
    assert embedding.shape == (3, model.encode_image(pictures(model, size=own)).shape[1])
    assert all(value.grad is not None and value.grad.any() for value in positions)
    assert all(value.grad is not None for value in model.visual.parameters())


def test_a_smaller_picture_sees_the_interpolated_positions() -> None:
    """The same as a tower built at the smaller size whose positions were interpolated before."""
    model = clip_vit()
    small = clip_vit(image_size=16)
    state = model.visual.state_dict()
    state["positional_embedding"] = interpolate_positions(
        model.visual.positional_embedding.detach(), own_grid=4, grid=2
    )
    small.visual.load_state_dict(state)
    accept_image_sizes(model, (16, 32))

    images = pictures(model, size=16)

    assert torch.equal(model.encode_image(images), small.encode_image(images))


@pytest.mark.parametrize("build", [clip_vit, timm_mobilenet])
def test_the_trial_leaves_no_trace(build: Callable[[], DualEncoder]) -> None:
    """No statistics of batch norm, no random numbers, no change of mode."""
    model = build().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.get_rng_state()

    accept_image_sizes(model, (16, 32))

    assert torch.equal(torch.get_rng_state(), state)
    assert all(module.training for module in model.modules())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The .grad attribute:UserWarning")  # torch tracing its own code
def test_torch_compile_follows_the_sizes() -> None:
    """A compiled tower computes the same at both sizes."""
    model = clip_vit().eval()
    accept_image_sizes(model, (16, 32))
    compiled = torch.compile(model.visual, backend="eager")

    for size in (16, 32):
        images = pictures(model, size=size)
        torch.testing.assert_close(compiled(images), model.visual(images))


@pytest.mark.parametrize(
    ("build", "sizes", "message"),
    [
        (clip_vit, (16, 24), "expected growing sides that end with the model's own, 32"),
        (clip_vit, (32, 16, 32), "expected growing sides"),
        (clip_vit, (20, 32), "VisionTransformer cannot take pictures of 20 pixels"),
        (clip_resnet, (40, 64), "ModifiedResNet cannot take pictures of 40 pixels"),
        (timm_vit, (20, 32), "VisionTransformer cannot take pictures of 20 pixels"),
        (timm_fixed_vit, (20, 32), "VisionTransformer cannot take pictures of 20 pixels"),
        (timm_convnext, (16, 32), "ConvNeXt cannot take pictures of 16 pixels"),
    ],
)
def test_sizes_that_cannot_be_are_refused(
    build: Callable[[], DualEncoder], sizes: tuple[int, ...], message: str
) -> None:
    """The message names the tower and the size."""
    with pytest.raises(ConfigError, match=re.escape(message)):
        accept_image_sizes(build(), sizes)


def test_a_tower_of_ones_own_is_refused() -> None:
    """Its own size is not known."""
    model = nn.Module()
    model.visual = nn.Linear(2, 2)

    with pytest.raises(ConfigError, match="image tower of open_clip or timm, not Linear"):
        accept_image_sizes(model, (16, 32))
