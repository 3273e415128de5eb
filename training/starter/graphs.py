"""Torch modules to ONNX graphs with the names that a model folder promises.

# N = items, S = image size, L = tokens
"""

from __future__ import annotations

import io
from contextlib import redirect_stdout

import onnx
import torch
from onnx import ModelProto
from torch import nn
from torch.export import Dim

OPSET = 18
OUTPUT_NAME = "embedding"


def image_graph(model: nn.Module, *, image_size: int) -> ModelProto:
    """Export ``pixels`` uint8 (N, S, S, 3) to ``embedding`` (N, D)."""
    pixels_NSS3 = torch.zeros(2, image_size, image_size, 3, dtype=torch.uint8)
    return _export(model, (pixels_NSS3,), ["pixels"], {"pixels": {0: Dim("N")}})


def text_graph(model: nn.Module, *, context_length: int) -> ModelProto:
    """Export ``input_ids`` and ``attention_mask`` int64 (N, L) to ``embedding`` (N, D)."""
    # Two tensors: given one tensor twice, the exporter would merge the two inputs.
    input_ids_NL = torch.ones(2, 8, dtype=torch.int64)
    attention_mask_NL = torch.ones(2, 8, dtype=torch.int64)
    axes = {0: Dim("N"), 1: Dim("L", max=context_length)}
    names = ["input_ids", "attention_mask"]
    return _export(model, (input_ids_NL, attention_mask_NL), names, dict.fromkeys(names, axes))


def _export(
    model: nn.Module,
    inputs: tuple[torch.Tensor, ...],
    names: list[str],
    axes: dict[str, dict[int, Dim]],
) -> ModelProto:
    with redirect_stdout(io.StringIO()):
        program = torch.onnx.export(
            model.eval(),
            inputs,
            input_names=names,
            dynamic_shapes=axes,
            opset_version=OPSET,
            dynamo=True,
        )
    assert program is not None
    proto = program.model_proto
    # torch names values after operators, and one of them is called embedding.
    _rename(proto, OUTPUT_NAME, f"{OUTPUT_NAME}_value")
    _rename(proto, proto.graph.output[0].name, OUTPUT_NAME)
    onnx.checker.check_model(proto)
    del proto.graph.value_info[:]
    return proto


def _rename(model: ModelProto, old: str, new: str) -> None:
    """Give a value of the graph another name, wherever it is written or read."""
    for node in model.graph.node:
        for names in (node.input, node.output):
            names[:] = [new if name == old else name for name in names]
    for value in (*model.graph.output, *model.graph.value_info):
        if value.name == old:
            value.name = new
