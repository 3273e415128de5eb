"""One tower compiled by OpenVINO, run by as many requests at a time as it has streams.

# N = items of a run, D = embedding dimension
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from core.cores import usable_cores
from core.errors import EncoderError
from core.types import FloatArray, JSONObject
from encoders.compiled_cache import CompiledCache
from encoders.openvino_core import openvino_core
from encoders.tower_plan import Precision, TowerPlan

Inputs: TypeAlias = Mapping[str, NDArray[Any]]
"""The arrays of one run by the name of the input, N rows each."""

_ITEMS_AXIS = 0


class OpenVINOTower:
    """A compiled tower; one thread at a time may run it."""

    def __init__(
        self, openvino: Any, path: Path, plan: TowerPlan, *, cache: CompiledCache | None = None
    ) -> None:
        """Read the tower at ``path`` and compile it as the plan says.

        Args:
            openvino: the module, see ``encoders.openvino_runtime.import_openvino``.
            path: of an ONNX file or of OpenVINO's own ``.xml``.
            plan: how to run it.
            cache: where compiled towers are kept; ``None`` keeps none.

        Raises:
            EncoderError: the tower cannot be read or compiled.
        """
        self._openvino = openvino
        self._plan = plan
        compiled = _from_cache(openvino, path, plan, cache)
        try:
            if compiled is None:
                compiled = _compiled(openvino_core(openvino), path, plan, cache)
            self._requests = [compiled.create_infer_request() for _ in range(plan.streams)]
        except RuntimeError as error:
            raise EncoderError(
                f"{path} does not compile: {error}; export the model again"
            ) from error
        self._names = frozenset(name for port in compiled.inputs for name in port.names)

    def run(self, runs: Iterable[Inputs]) -> list[FloatArray]:
        """Return the output (N, D) of every run, in order; ``streams`` of them go on at a time.

        Raises:
            EncoderError: the tower cannot be run on an input; the others are finished first.
        """
        outputs: list[FloatArray] = []
        free = deque(self._requests)
        busy: deque[tuple[Any, Any, int]] = deque()
        try:
            for inputs in runs:
                if not free:
                    outputs.append(self._finish(busy, free))
                busy.append(self._start(free.popleft(), inputs))
            while busy:
                outputs.append(self._finish(busy, free))
        except RuntimeError as error:
            raise EncoderError(f"the model cannot be run on this input: {error}") from error
        finally:
            _wait(request for request, _, _ in busy)
        return outputs

    def _start(self, request: Any, inputs: Inputs) -> tuple[Any, Any, int]:
        """Begin a run; return what must live until it ends, and the rows that count."""
        wanted = {name: array for name, array in inputs.items() if name in self._names}
        count = len(next(iter(wanted.values())))
        if self._plan.fixed and count < self._plan.chunk:
            wanted = {name: _filled(array, self._plan.chunk) for name, array in wanted.items()}
        tensors = {
            name: self._openvino.Tensor(np.ascontiguousarray(array), shared_memory=True)
            for name, array in wanted.items()
        }
        request.start_async(tensors)
        return request, tensors, count

    def _finish(self, busy: deque[tuple[Any, Any, int]], free: deque[Any]) -> FloatArray:
        """Wait for the oldest run and return a copy of its output."""
        request, _, count = busy.popleft()
        free.append(request)
        request.wait()
        return np.array(request.get_output_tensor(0).data[:count], np.float32)


def check_precision(openvino: Any, precision: Precision) -> None:
    """Refuse bfloat16 where it would be imitated slowly.

    Raises:
        EncoderError: the CPU has no bfloat16.
    """
    capabilities = openvino_core(openvino).get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    if precision == "bfloat16" and "BF16" not in capabilities:
        raise EncoderError(
            f"this CPU has no bfloat16 (it has {', '.join(capabilities)}); use float32"
        )


def short_precision(openvino: Any) -> Precision:
    """Return ``bfloat16`` where the CPU has it, else ``float32``."""
    capabilities = openvino_core(openvino).get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return "bfloat16" if "BF16" in capabilities else "float32"


def _from_cache(
    openvino: Any, path: Path, plan: TowerPlan, cache: CompiledCache | None
) -> Any | None:
    """Return the tower that was compiled earlier; ``None`` where there is none."""
    if cache is None:
        return None
    core = openvino_core(openvino)
    settings = _settings(plan, core)
    kept = cache.path(path.name, _options(plan, settings))
    blob_N = cache.read(kept)
    if blob_N is None:
        return None
    try:
        # Copied: the tower's weights stay in the tensor, which then owns its memory. Memory of
        # Python's could be gone before the last request is.
        tensor = openvino.Tensor(blob_N, shared_memory=False)
        return core.import_model(tensor, "CPU", settings)
    except RuntimeError as error:
        cache.discard(kept, reason=str(error))
        return None


def _compiled(core: Any, path: Path, plan: TowerPlan, cache: CompiledCache | None) -> Any:
    settings = _settings(plan, core)
    compiled = core.compile_model(
        _fixed(core, path, plan.chunk) if plan.fixed else str(path), "CPU", settings
    )
    if cache is not None:
        kept = cache.path(path.name, _options(plan, settings))
        cache.write(kept, compiled.export_model, about_bytes=2 * path.stat().st_size)
    return compiled


def _options(plan: TowerPlan, settings: JSONObject) -> JSONObject:
    """Return all that decides what is compiled, beside the tower and the machine."""
    return {"settings": settings, "items": plan.chunk if plan.fixed else None}


def _settings(plan: TowerPlan, core: Any) -> JSONObject:
    # What is left of an int8 tower between the products runs in the shorter type that is there.
    short = plan.precision != "float32" and (
        "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    )
    settings: JSONObject = {"INFERENCE_PRECISION_HINT": "bf16" if short else "f32"}
    if plan.streams == 1:
        settings["PERFORMANCE_HINT"] = "LATENCY"
    else:
        settings["NUM_STREAMS"] = plan.streams
        settings["INFERENCE_NUM_THREADS"] = plan.threads or usable_cores()
    if plan.threads > 0:
        settings["INFERENCE_NUM_THREADS"] = plan.threads
    if not plan.pinned:
        settings["ENABLE_CPU_PINNING"] = False
    return settings


def _fixed(core: Any, path: Path, chunk: int) -> Any:
    """Return the tower at ``path`` for exactly ``chunk`` items."""
    tower = core.read_model(str(path))
    shapes = {}
    for port in tower.inputs:
        shape = port.partial_shape
        shape[_ITEMS_AXIS] = chunk
        shapes[port] = shape
    tower.reshape(shapes)
    return tower


def _filled(array_N: NDArray[Any], count: int) -> NDArray[Any]:
    """Return the rows and zeros behind them."""
    filled_N = np.zeros((count, *array_N.shape[1:]), array_N.dtype)
    filled_N[: len(array_N)] = array_N
    return filled_N


def _wait(requests: Iterable[Any]) -> None:
    """Let every run end, so that its request can be used again."""
    for request in requests:
        try:
            request.wait()
        except RuntimeError:
            # The first error is the one that is told.
            continue
