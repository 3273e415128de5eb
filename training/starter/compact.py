"""Smaller ONNX files: float16 constants for the image tower, int8 weights for the text tower.

Arithmetic stays in float32: constants are widened when the model is loaded.
"""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from core.types import FloatArray

MIN_ELEMENTS = 4096
"""Smaller constants stay float32: they hold norms and biases and weigh nothing."""
INT8_LIMIT = 127


def store_as_float16(model: ModelProto) -> None:
    """Store large float32 constants as float16 with a Cast to float32 behind each, in place."""
    for tensor in _large_constants(model):
        array = numpy_helper.to_array(tensor)
        stored = numpy_helper.from_array(array.astype(np.float16), f"{tensor.name}_float16")
        cast = helper.make_node("Cast", [stored.name], [tensor.name], to=TensorProto.FLOAT)
        _replace(model, tensor, [stored], cast)


def store_as_int8(model: ModelProto) -> None:
    """Store large float32 matrices as int8 with one scale per channel, in place.

    The channel is the last axis of matrix products and the row of the word table. Weights outside
    a word table or matrix product are left alone.
    """
    gathered = {node.input[0] for node in model.graph.node if node.op_type == "Gather"}
    multiplied = {node.input[1] for node in model.graph.node if node.op_type == "MatMul"}
    transposed = {
        node.input[1]
        for node in model.graph.node
        if node.op_type == "Gemm" and _attribute(node, "transB") == 1
    }
    for tensor in _large_constants(model):
        if tensor.name not in gathered | multiplied | transposed:
            continue
        axis = 1 if tensor.name in multiplied else 0
        codes, scales = quantise(numpy_helper.to_array(tensor), axis=axis)
        parts = [
            numpy_helper.from_array(codes, f"{tensor.name}_int8"),
            numpy_helper.from_array(scales, f"{tensor.name}_scale"),
        ]
        names = [part.name for part in parts]
        dequantise = helper.make_node("DequantizeLinear", names, [tensor.name], axis=axis)
        _replace(model, tensor, parts, dequantise)


def quantise(matrix: FloatArray, *, axis: int) -> tuple[NDArray[np.int8], FloatArray]:
    """Return symmetric int8 codes and one float32 scale per index of ``axis``."""
    largest = np.abs(matrix).max(axis=1 - axis)
    scales = np.maximum(largest / INT8_LIMIT, np.finfo(np.float32).tiny).astype(np.float32)
    shape = (-1, 1) if axis == 0 else (1, -1)
    return np.rint(matrix / scales.reshape(shape)).astype(np.int8), scales


def save(model: ModelProto) -> bytes:
    """Check the graph and return its bytes."""
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def _large_constants(model: ModelProto) -> list[TensorProto]:
    return [
        tensor
        for tensor in model.graph.initializer
        if tensor.data_type == TensorProto.FLOAT and int(np.prod(tensor.dims)) >= MIN_ELEMENTS
    ]


def _replace(
    model: ModelProto, old: TensorProto, parts: list[TensorProto], node: NodeProto
) -> None:
    model.graph.initializer.remove(old)
    model.graph.initializer.extend(parts)
    model.graph.node.insert(0, node)


def _attribute(node: NodeProto, name: str) -> int:
    return next((attribute.i for attribute in node.attribute if attribute.name == name), 0)
