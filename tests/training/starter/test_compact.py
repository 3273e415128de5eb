"""Compact weights compute nearly what float32 weights do."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from core.types import FloatArray
from training.starter.compact import quantise, save, store_as_float16, store_as_int8


def _random(*shape: int) -> FloatArray:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def _linear(weight: FloatArray) -> onnx.ModelProto:
    """A graph with one matrix product."""
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "weight"], ["y"])],
        "linear",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", weight.shape[0]])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", weight.shape[1]])],
        [numpy_helper.from_array(weight, "weight")],
    )
    opset = helper.make_opsetid("", 19)
    return helper.make_model(graph, opset_imports=[opset], ir_version=10)


def _run(model: onnx.ModelProto, x: FloatArray) -> FloatArray:
    return np.asarray(ReferenceEvaluator(model).run(None, {"x": x})[0], np.float32)


def test_codes_of_a_channel_use_its_own_scale() -> None:
    """A channel with small weights keeps its precision beside one with large weights."""
    codes, scales = quantise(np.array([[1.0, -0.5], [127.0, 63.5]], np.float32), axis=0)

    assert codes.tolist() == [[127, -64], [127, 64]]
    assert np.allclose(scales, [1 / 127, 1.0])


def test_int8_weights_keep_the_direction_of_the_output() -> None:
    """The cosine to the float32 graph stays above 0.999 in every row."""
    model, x = _linear(_random(96, 64)), _random(5, 96)
    expected = _run(model, x)

    store_as_int8(model)
    actual = _run(onnx.load_from_string(save(model)), x)

    dots = (expected * actual).sum(axis=1)
    norms = np.linalg.norm(expected, axis=1) * np.linalg.norm(actual, axis=1)
    assert np.all(dots / norms > 0.999)


def test_int8_weights_take_a_quarter_of_the_bytes() -> None:
    """What is stored is one byte per weight and one scale per channel."""
    model = _linear(_random(96, 64))

    store_as_int8(model)

    assert len(save(model)) < 96 * 64 + 4 * 64 + 400


def test_float16_weights_change_the_output_by_a_thousandth_at_most() -> None:
    """float16 has 11 bits of precision."""
    model, x = _linear(_random(96, 64)), _random(5, 96)
    expected = _run(model, x)

    store_as_float16(model)
    actual = _run(onnx.load_from_string(save(model)), x)

    assert np.abs(expected - actual).max() < 1e-3 * np.abs(expected).max()
