"""The quickest matrix products of this machine, by torch and by OpenVINO, in GFLOP/s.

A multiplication and an addition are two FLOP, of int8 too. The sizes are those of the layers of a
ViT-B with the tokens of a batch, which are also the quickest here.

# M = rows of tokens, W = width, H = hidden width
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import cache
from typing import Any, Literal

import numpy as np
import torch

from benchmarks.workers import serve
from core.types import JSONObject
from encoders.openvino_runtime import import_openvino

Kind = Literal["float32", "bfloat16", "int8"]
KINDS: tuple[Kind, ...] = ("float32", "bfloat16", "int8")
ROWS = (400, 1600)
"""Tokens of 8 and of 32 images of 224 pixels in patches of 32."""
WIDTH, HIDDEN = 768, 3072
_LAYERS = 4
_SECONDS = 0.15


def product(*, kind: Kind, threads: int) -> JSONObject:
    """Return the best rate of any way to multiply, with its name."""
    rates = all_rates(kind, threads)
    name = max(rates, key=lambda way: rates[way])
    return {"figure": rates[name], "way": name}


def all_rates(kind: Kind, threads: int) -> dict[str, float]:
    """Return the GFLOP/s of each way to multiply."""
    torch.set_num_threads(threads)
    found = {}
    for rows in ROWS:
        found[f"torch, {rows} rows"] = _rate(_torch_product(kind, rows), rows, layers=1)
        for streams in sorted({1, threads}):
            act = _openvino_product(kind, rows, threads, streams)
            name = f"OpenVINO, {rows} rows, {streams} stream(s)"
            found[name] = _rate(act, rows * streams, layers=_LAYERS)
    return found


@cache
def _torch_product(kind: Kind, rows: int) -> Callable[[], object]:
    """Return a product of (M, W) and (W, H)."""
    if kind == "int8":
        left, right = (torch.randint(-99, 99, size, dtype=torch.int8) for size in _sizes(rows))
        return lambda: torch._int_mm(left, right)  # noqa: SLF001 - torch's only int8 product
    dtype = torch.float32 if kind == "float32" else torch.bfloat16
    left, right = (torch.randn(size, dtype=dtype) for size in _sizes(rows))
    return lambda: torch.mm(left, right)


@cache
def _openvino_product(kind: Kind, rows: int, threads: int, streams: int) -> Callable[[], object]:
    """Return layers of two products each, (M, W) to (M, H) and back, with weights packed before."""
    openvino = import_openvino()
    hint = "bf16" if kind == "bfloat16" else "f32"
    settings = {
        "INFERENCE_PRECISION_HINT": hint,
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": streams,
    }
    compiled = openvino.Core().compile_model(_layers(openvino, kind, rows), "CPU", settings)
    # Outputs are shared views that are not looked at: copying them is no part of a product.
    requests = [compiled.create_infer_request() for _ in range(streams)]
    data = np.random.default_rng(0).standard_normal((rows, WIDTH), np.float32)
    for request in requests:
        request.set_input_tensor(openvino.Tensor(data.copy()))

    def run() -> None:
        for request in requests:
            request.start_async()
        for request in requests:
            request.wait()

    return run


def _layers(openvino: Any, kind: Kind, rows: int) -> Any:
    ops = openvino.opset13
    rng = np.random.default_rng(0)
    entered = ops.parameter([rows, WIDTH], np.float32)
    node = entered
    for _ in range(_LAYERS):
        for size in ((WIDTH, HIDDEN), (HIDDEN, WIDTH)):
            weights = ops.constant(
                rng.standard_normal(size, np.float32) / np.float32(size[0] ** 0.5)
            )
            if kind == "int8":
                node, weights = (_quantised(ops, part) for part in (node, weights))
            node = ops.matmul(node, weights, False, False)
    summed = ops.reduce_sum(node, ops.constant(np.array([0, 1])), keep_dims=False)
    return openvino.Model([summed], [entered])


def _quantised(ops: Any, node: Any) -> Any:
    low, high = ops.constant(np.float32(-4)), ops.constant(np.float32(4))
    return ops.fake_quantize(node, low, high, low, high, 255)


def _sizes(rows: int) -> tuple[tuple[int, int], tuple[int, int]]:
    return (rows, WIDTH), (WIDTH, HIDDEN)


def _rate(act: Callable[[], object], rows: int, *, layers: int) -> float:
    """Return the GFLOP/s of a call that multiplies ``rows`` rows; a layer of several is two."""
    products = 1 if layers == 1 else 2 * layers
    work = 2e-9 * rows * WIDTH * HIDDEN * products
    act()
    times: list[float] = []
    while sum(times) < _SECONDS or len(times) < 3:
        started = time.perf_counter()
        act()
        times.append(time.perf_counter() - started)
    return work / statistics.median(times)


if __name__ == "__main__":
    serve({"product": product})
