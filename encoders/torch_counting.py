"""Parameters and multiply-adds of a model, for each tower and each layer.

A multiply-add is one multiplication and one addition of a matrix product or convolution; what
torch's counter calls a flop is half of one. Norms, activations and table look-ups are not counted.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from core.types import JSONObject
from encoders.torch_towers import OtherTextTower, text_tower

_TOTAL = "Global"
_META = torch.device("meta")


@dataclass(frozen=True, slots=True)
class LayerCount:
    """One module with all that is inside it."""

    name: str
    """Dotted path inside the tower; empty for the tower itself."""
    kind: str
    """Name of the module's class."""
    parameters: int
    """Numbers that can be learned, each counted once however often it is used."""
    multiply_adds: int
    """Of one picture, or one text of the whole context."""

    def to_json(self) -> JSONObject:
        """Return the count as JSON."""
        return {
            "name": self.name,
            "kind": self.kind,
            "parameters": self.parameters,
            "multiply_adds": self.multiply_adds,
        }


@dataclass(frozen=True, slots=True)
class ModelCount:
    """Both towers of a model."""

    image: tuple[LayerCount, ...]
    """The image tower and its layers, in order; the first is the whole tower."""
    text: tuple[LayerCount, ...]
    """The text tower and its layers, in order."""
    parameters: int
    """Of the whole model, the temperature included."""

    def to_json(self) -> JSONObject:
        """Return the counts as JSON."""
        return {
            "parameters": self.parameters,
            "image": [layer.to_json() for layer in self.image],
            "text": [layer.to_json() for layer in self.text],
        }


def count_parameters(module: nn.Module) -> int:
    """Return how many numbers of a module can be learned, shared ones once."""
    return sum(parameter.numel() for parameter in module.parameters())


def count_layers(
    module: nn.Module, inputs: tuple[Tensor, ...], *, depth: int = 1
) -> tuple[LayerCount, ...]:
    """Count a module and what is inside it, ``depth`` levels deep.

    Nothing is computed where the module can run without values; else a copy runs once.

    Args:
        module: is not changed.
        inputs: what its ``forward`` takes, for one item; on any device.
        depth: 0 counts the module alone.
    """
    operations = _multiply_adds(module, inputs)
    counts = [LayerCount("", type(module).__name__, count_parameters(module), operations[_TOTAL])]
    root = f"{type(module).__name__}."
    for name, inner in module.named_modules():
        amount, parameters = operations.get(f"{root}{name}", 0), count_parameters(inner)
        if name and name.count(".") < depth and (amount or parameters):
            counts.append(LayerCount(name, type(inner).__name__, parameters, amount))
    return tuple(counts)


def count_model(model: Any, *, image_size: int, context_length: int, depth: int = 1) -> ModelCount:
    """Count both towers of an open_clip model.

    Args:
        model: an open_clip module.
        image_size: side of the pictures, in pixels.
        context_length: tokens of the text that is counted.
        depth: levels of layers inside each tower, see ``count_layers``.
    """
    picture = torch.zeros(1, 3, image_size, image_size)
    # Not 0: a tower that masks filling would have nothing left.
    ids = torch.ones(1, context_length, dtype=torch.int64)
    text = text_tower(model, pad_id=0)
    inputs: tuple[Tensor, ...] = (ids, torch.ones_like(ids))
    if isinstance(text, OtherTextTower):
        text, inputs = text.tower, (ids,)
    return ModelCount(
        image=count_layers(model.visual, (picture,), depth=depth),
        text=count_layers(text, inputs, depth=depth),
        parameters=count_parameters(model),
    )


def _multiply_adds(module: nn.Module, inputs: tuple[Tensor, ...]) -> dict[str, int]:
    """Return the multiply-adds of every module that is called, by torch's name for it."""
    try:
        return _run(_without_weights(module), [tensor.to(_META) for tensor in inputs])
    except (NotImplementedError, RuntimeError):
        # Some towers look at values, or hold tensors that are no parameters.
        return _run(copy.deepcopy(module), list(inputs))


def _run(module: nn.Module, inputs: list[Tensor]) -> dict[str, int]:
    """Run a module under torch's counter; ``module`` belongs to this function."""
    counter = FlopCounterMode(display=False)
    # The plain formula of attention: what the fused ones do is not counted on every device.
    fast_path = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), counter:
            # torch's counter follows parameters that are passed on, and stumbles without gradients.
            module.eval().requires_grad_(requires_grad=False)(*inputs)
    finally:
        torch.backends.mha.set_fastpath_enabled(fast_path)
    counts = counter.get_flop_counts()
    total = {_TOTAL: 0}
    return total | {name: sum(amounts.values()) // 2 for name, amounts in counts.items()}


def _without_weights(module: nn.Module) -> nn.Module:
    """Return a copy that has shapes and no memory."""
    tensors = (*module.parameters(), *module.buffers())
    memo: dict[int, Any] = {id(tensor): _shape_of(tensor) for tensor in tensors}
    return copy.deepcopy(module, memo)


def _shape_of(tensor: Tensor) -> Tensor:
    empty = tensor.detach().to(_META)
    if isinstance(tensor, nn.Parameter):
        return nn.Parameter(empty, requires_grad=False)
    return empty
