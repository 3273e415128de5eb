"""Which parameter of a model belongs to which layer of which tower: the one place that knows.

Locking, layer decay, learning-rate scales, LoRA and gradient checkpointing all read it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from open_clip.model import CLIP
from open_clip.modified_resnet import ModifiedResNet
from open_clip.timm_model import TimmModel
from torch import nn

from core.errors import ConfigError

Named = dict[str, nn.Parameter]

_IMAGE_ROOTS = ("visual", "image")
_TEXT_ROOT = "text"
_TEXT_MEMBERS_OF_CLIP = (
    "token_embedding",
    "positional_embedding",
    "transformer",
    "ln_final",
    "text_projection",
)
_PROJECTIONS = ("proj", "projection", "text_projection", "head", "fc")
_EMBEDDING = "emb"


@dataclass(frozen=True, slots=True)
class Tower:
    """One tower in depth order."""

    name: str
    """``image`` or ``text``, as in the recipe's section."""
    modules: tuple[nn.Module, ...]
    """The tower's module; the pieces in the order of computation where the model itself holds them,
    as CLIP does its text tower."""
    layers: tuple[Named, ...]
    """The stem, then the blocks; what follows the last block (norm, pooling) belongs to it."""
    projection: Named
    """The map to the shared space, which is no layer; empty where the tower has none."""
    blocks: tuple[nn.Module, ...]
    """The repeated modules, in depth order; empty where there are none, and with timm, which
    repeats and checkpoints them in its own way."""

    @property
    def parameters(self) -> Named:
        """Every parameter by its name in the model, the stem's first."""
        merged: Named = {}
        for part in (*self.layers, self.projection):
            merged |= part
        return merged


@dataclass(frozen=True, slots=True)
class TowerParts:
    """A model's parameters, each in exactly one place."""

    towers: Mapping[str, Tower]
    """By name; a model of one's own may lack one whose modules cannot be told."""
    rest: Named
    """What belongs to neither: logit scale, logit bias, and all else."""

    def tower(self, name: str) -> Tower:
        """Return a tower by name.

        Raises:
            ConfigError: the model has no module by which the tower could be told.
        """
        if name not in self.towers:
            raise ConfigError(
                f"towers.{name} cannot be applied: the model has no attribute that is its {name} "
                "tower; name the modules `visual` (or `image`) and `text`"
            )
        return self.towers[name]


def tower_parts(model: nn.Module) -> TowerParts:
    """Sort the parameters of a model into its towers, their layers and projections.

    Names are those of ``model.named_parameters()``.
    """
    named = dict(model.named_parameters())
    found = (_image_tower(model, named), _text_tower(model, named))
    towers = {tower.name: tower for tower in found if tower is not None}
    owned = {name for tower in towers.values() for name in tower.parameters}
    rest = {name: value for name, value in named.items() if name not in owned}
    return TowerParts(towers, rest)


def _image_tower(model: nn.Module, named: Named) -> Tower | None:
    for attribute in _IMAGE_ROOTS:
        root = getattr(model, attribute, None)
        if isinstance(root, TimmModel):
            return _timm_tower(attribute, root, named)
        if isinstance(root, ModifiedResNet):
            return _resnet_tower(attribute, root, named)
        if isinstance(root, nn.Module):
            return _ordered_tower("image", (root,), _members(attribute, root), named)
    return None


def _text_tower(model: nn.Module, named: Named) -> Tower | None:
    root = getattr(model, _TEXT_ROOT, None)
    if isinstance(root, nn.Module):
        return _ordered_tower("text", (root,), _members(_TEXT_ROOT, root), named)
    if isinstance(model, CLIP):
        members = {name: getattr(model, name) for name in _TEXT_MEMBERS_OF_CLIP}
        modules = tuple(member for member in members.values() if isinstance(member, nn.Module))
        return _ordered_tower("text", modules, members, named)
    return None


def _members(prefix: str, root: nn.Module) -> dict[str, object]:
    """Return the direct parameters and children of a tower by their names in the model."""
    children = {f"{prefix}.{name}": child for name, child in root.named_children()}
    if not children:
        return {prefix: root}
    own = {f"{prefix}.{name}": value for name, value in root.named_parameters(recurse=False)}
    return {**own, **children}


def _ordered_tower(
    name: str, modules: tuple[nn.Module, ...], members: Mapping[str, object], named: Named
) -> Tower:
    """Sort a tower whose members stand in the order in which they work."""
    parameters: Named = {}
    for member in members:
        parameters |= _under(named, member)
    projection = _projection(members, parameters)
    stack_name, blocks = _largest_stack(members)
    body = {key: value for key, value in parameters.items() if key not in projection}
    if blocks:
        layers = _around_stack(body, stack_name, len(blocks))
    else:
        layers = [_under(body, member) for member in members]
    return Tower(name, modules, _filled(layers), projection, tuple(blocks))


def _around_stack(body: Named, stack: str, count: int) -> list[Named]:
    """Sort the parameters before, in, and after a stack of ``count`` blocks.

    Embeddings count as before it wherever they are registered.
    """
    layers: list[Named] = [{} for _ in range(count + 1)]
    reached = False
    for name, parameter in body.items():
        if name.startswith(f"{stack}."):
            reached = True
            number = 1 + int(name[len(stack) + 1 :].partition(".")[0])
        else:
            number = count if reached and _EMBEDDING not in name else 0
        layers[number][name] = parameter
    return layers


def _projection(members: Mapping[str, object], parameters: Named) -> Named:
    """Return the parameters of the last member that is called a projection, if any is."""
    found = [_under(parameters, name) for name in members if _leaf(name) in _PROJECTIONS]
    filled = _filled(found)
    return filled[-1] if filled else {}


def _largest_stack(members: Mapping[str, object]) -> tuple[str, list[nn.Module]]:
    """Return the name and the modules of the ``ModuleList`` with the most weights."""
    best: tuple[str, list[nn.Module]] = ("", [])
    most = 0
    for prefix, member in members.items():
        for name, module in _submodules(prefix, member):
            size = sum(value.numel() for value in module.parameters())
            if isinstance(module, nn.ModuleList) and size > most:
                best, most = (name, list(module)), size
    return best


def _submodules(prefix: str, member: object) -> Iterator[tuple[str, nn.Module]]:
    if isinstance(member, nn.Module):
        yield from member.named_modules(prefix=prefix)


def _resnet_tower(prefix: str, root: ModifiedResNet, named: Named) -> Tower:
    """Sort open_clip's ResNet: stem, every bottleneck, and the pooling with the last of them."""
    blocks = {
        f"{prefix}.layer{stage}.{name}": block
        for stage in (1, 2, 3, 4)
        for name, block in root.get_submodule(f"layer{stage}").named_children()
    }
    pool = _under(named, f"{prefix}.attnpool")
    projection = _under(named, f"{prefix}.attnpool.c_proj")
    layers = [_under(named, name) for name in blocks]
    layers[-1] |= {name: value for name, value in pool.items() if name not in projection}
    inside = {name for part in (*layers, projection) for name in part}
    stem = {name: value for name, value in _under(named, prefix).items() if name not in inside}
    return Tower("image", (root,), _filled([stem, *layers]), projection, tuple(blocks.values()))


def _timm_tower(prefix: str, root: TimmModel, named: Named) -> Tower:
    """Sort a timm trunk by timm's own grouping of its layers."""
    from timm.models import group_parameters

    trunk: Any = root.trunk
    projection = _under(named, f"{prefix}.head") or _classifier(prefix, trunk, named)
    # The empty name fits no rule: it finds the group of what timm leaves over after the blocks.
    listing: Any = SimpleNamespace(
        named_parameters=lambda: iter([*trunk.named_parameters(), ("", None)])
    )
    numbers: dict[str, int] = group_parameters(
        listing, trunk.group_matcher(coarse=False), reverse=True
    )
    last = max((number for number in numbers.values() if number != numbers[""]), default=0)
    layers: list[Named] = [{} for _ in range(last + 1)]
    for name, parameter in _under(named, f"{prefix}.trunk").items():
        if name not in projection:
            number = numbers[name.removeprefix(f"{prefix}.trunk.")]
            layers[min(number, last)][name] = parameter
    return Tower("image", (root,), _filled(layers), projection, ())


def _classifier(prefix: str, trunk: nn.Module, named: Named) -> Named:
    """Return the parameters of the trunk's own last layer, which open_clip may use to project."""
    get_classifier: Callable[[], nn.Module] = trunk.get_classifier  # type: ignore[assignment]
    classifier = get_classifier()
    for name, module in trunk.named_modules():
        if module is classifier:
            return _under(named, f"{prefix}.trunk.{name}")
    return {}


def _under(named: Named, prefix: str) -> Named:
    """Return the parameters that are called so or lie below that name."""
    return {
        name: value
        for name, value in named.items()
        if name == prefix or name.startswith(f"{prefix}.")
    }


def _filled(parts: list[Named]) -> tuple[Named, ...]:
    return tuple(part for part in parts if part)


def _leaf(name: str) -> str:
    return name.rpartition(".")[2]
