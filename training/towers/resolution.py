"""Progressive resolution: a run that begins with small pictures and ends with the model's own.

# B = pictures, S = side in pixels, T = tokens (prefix and grid), G = side of the grid, W = width
"""

from __future__ import annotations

from collections.abc import Sequence
from types import MethodType
from typing import Any

import torch
from open_clip.modified_resnet import ModifiedResNet
from open_clip.timm_model import TimmModel
from open_clip.transformer import VisionTransformer
from torch import Tensor, nn

from core.errors import ConfigError


def image_size_at(step: int, *, horizon: int, sizes: Sequence[int]) -> int:
    """Return the side of the pictures of a step: the sizes share the horizon in equal parts."""
    return sizes[min(step * len(sizes) // max(horizon, 1), len(sizes) - 1)]


def resize_pictures(pictures: Tensor, size: int) -> Tensor:
    """Return square pictures at another size, antialiased bicubic, on the device they are on.

    Pictures of that size are returned as they are.

    Args:
        pictures: floats (B, 3, S, S), or uint8 (B, S, S, 3), which stay uint8, rounded and clipped.
        size: new side in pixels.
    """
    if pictures.shape[2] == size:
        return pictures
    if pictures.dtype == torch.uint8:
        resized_B3SS = _resized(pictures.permute(0, 3, 1, 2).float(), size)
        levels_B3SS = resized_B3SS.round_().clamp_(0, 255).to(torch.uint8)
        return levels_B3SS.permute(0, 2, 3, 1).contiguous()
    return _resized(pictures.float(), size).to(pictures.dtype)


def accept_image_sizes(model: nn.Module, sizes: Sequence[int]) -> None:
    """Make the image tower take pictures of all these sides; its own side runs as before.

    Position embeddings are interpolated as they are used, so gradients reach the full ones.

    Raises:
        ConfigError: the sizes do not grow to the model's own, or the tower cannot take one.
    """
    visual: Any = getattr(model, "visual", None)
    own = _own_size(visual)
    if list(sizes) != sorted(set(sizes)) or sizes[-1] != own:
        raise ConfigError(
            f"schedule.image_sizes = {list(sizes)}: expected growing sides that end with the "
            f"model's own, {own}"
        )
    _accept_any(visual)
    for size in sizes:
        _try(visual, size)


def _resized(plane_B3SS: Tensor, size: int) -> Tensor:
    return nn.functional.interpolate(plane_B3SS, size=(size, size), mode="bicubic", antialias=True)


def _own_size(visual: Any) -> int:
    size = getattr(visual, "image_size", None)
    if size is None:
        raise ConfigError(
            "schedule.image_sizes needs an image tower of open_clip or timm, not "
            f"{type(visual).__name__}; remove it"
        )
    return int(size[0] if isinstance(size, tuple | list) else size)


def _accept_any(visual: Any) -> None:
    """Let a tower with position embeddings interpolate them; the others need nothing."""
    if isinstance(visual, VisionTransformer):
        visual.__dict__["forward"] = MethodType(_forward_native, visual)
    elif isinstance(visual, ModifiedResNet):
        visual.__dict__["forward"] = MethodType(_forward_resnet, visual)
    elif isinstance(visual, TimmModel) and _has_fixed_positions(visual.trunk):
        visual.trunk.patch_embed.strict_img_size = False
        visual.__dict__["forward"] = MethodType(_forward_timm, visual)


def _has_fixed_positions(trunk: object) -> bool:
    """Return whether a timm trunk is a transformer that does not interpolate by itself."""
    from timm.models.vision_transformer import VisionTransformer as TimmVisionTransformer

    if not isinstance(trunk, TimmVisionTransformer) or trunk.pos_embed is None:
        return False
    return not trunk.dynamic_img_size


def _forward_native(visual: VisionTransformer, pictures: Tensor) -> Any:
    return _at_size(
        visual,
        pictures,
        name="positional_embedding",
        grid=pictures.shape[-1] // visual.patch_size[0],
        own_grid=visual.grid_size[0],
    )


def _forward_resnet(visual: ModifiedResNet, pictures: Tensor) -> Any:
    return _at_size(
        visual,
        pictures,
        name="attnpool.positional_embedding",
        grid=pictures.shape[-1] // 32,
        own_grid=visual.image_size // 32,
    )


def _forward_timm(visual: TimmModel, pictures: Tensor) -> Any:
    embed = visual.trunk.patch_embed
    return _at_size(
        visual,
        pictures,
        name="trunk.pos_embed",
        grid=pictures.shape[-1] // embed.patch_size[0],
        own_grid=embed.grid_size[0],
    )


def _at_size(visual: nn.Module, pictures: Tensor, *, name: str, grid: int, own_grid: int) -> Any:
    """Run a tower with its position embedding interpolated to the grid of the pictures."""
    forward = type(visual).forward
    if grid == own_grid:
        return forward(visual, pictures)
    positions = visual.get_parameter(name)
    resized = interpolate_positions(positions, own_grid=own_grid, grid=grid)
    plain = _Plain(visual)
    return torch.func.functional_call(plain, {f"visual.{name}": resized}, (pictures,))


class _Plain(nn.Module):
    """A tower's own forward, for ``functional_call``, which would call the changed one."""

    def __init__(self, visual: nn.Module) -> None:
        super().__init__()
        self.visual = visual

    def forward(self, pictures: Tensor) -> Any:
        """Return what the tower's class computes."""
        return type(self.visual).forward(self.visual, pictures)


def interpolate_positions(positions: Tensor, *, own_grid: int, grid: int) -> Tensor:
    """Return position embeddings (T, W) or (1, T, W) for another grid, differentiably.

    What stands before the grid (class and register tokens) stays; the grid is resized as a
    picture, antialiased bicubic, in float32.
    """
    before = positions.shape[-2] - own_grid**2
    prefix, plane = positions.tensor_split([before], dim=-2)
    plane_1WGG = plane.reshape(1, own_grid, own_grid, -1).permute(0, 3, 1, 2).float()
    resized = _resized(plane_1WGG, grid).permute(0, 2, 3, 1).reshape(*plane.shape[:-2], grid**2, -1)
    return torch.cat([prefix, resized.to(positions.dtype)], dim=-2)


@torch.no_grad()
def _try(visual: nn.Module, size: int) -> None:
    """Run one black picture through the tower, in evaluation mode, and leave no trace.

    Raises:
        ConfigError: the tower cannot.
    """
    modes = {module: module.training for module in visual.modules()}
    device = next(visual.parameters()).device
    visual.eval()
    try:
        _refuse_cut_patches(visual, size)
        visual(torch.zeros(1, 3, size, size, device=device))
    except (RuntimeError, AssertionError, ValueError) as error:
        kind = type(getattr(visual, "trunk", visual)).__name__
        raise ConfigError(
            f"schedule.image_sizes: the image tower {kind} cannot take pictures of {size} "
            f"pixels ({error}); remove that size"
        ) from error
    finally:
        for module, training in modes.items():
            module.training = training


def _refuse_cut_patches(visual: Any, size: int) -> None:
    patch = 32 if isinstance(visual, ModifiedResNet) else 1
    if isinstance(visual, VisionTransformer):
        patch = visual.patch_size[0]
    if size % patch:
        raise ValueError(f"it works in patches of {patch} pixels")
