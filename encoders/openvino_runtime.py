"""The runtime without torch: exported ONNX towers run by OpenVINO on the CPU.

# N = items, S = image size
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from core.errors import EncoderError
from core.types import FloatArray, PixelArray
from encoders.calibration_files import read_calibration
from encoders.folder import IMAGE_ONNX_NAME, TEXT_ONNX_NAME, TOKENIZER_NAME, ModelFolder
from encoders.tokenizer import TokenBatch
from encoders.two_towers import TwoTowerEncoder

Precision = Literal["float32", "bfloat16"]

_HINTS: dict[Precision, str] = {"float32": "f32", "bfloat16": "bf16"}
_TELEMETRY_PACKAGE = "openvino_telemetry"


class OpenVINOEncoder(TwoTowerEncoder):
    """A model folder run by OpenVINO; an ``Encoder`` (one thread at a time)."""

    def __init__(
        self,
        folder: ModelFolder,
        *,
        precision: Precision = "float32",
        threads: int = 0,
        cache_folder: Path | None = None,
    ) -> None:
        """Compile both towers.

        Args:
            folder: must have the ONNX files.
            precision: ``bfloat16`` is about twice as quick where the CPU has it.
            threads: 0 leaves the number to OpenVINO.
            cache_folder: where compiled towers are kept, for quicker starts of large models.

        Raises:
            EncoderError: no ONNX files, a tower that does not compile, or a CPU without bfloat16.
        """
        if not folder.has_onnx:
            raise EncoderError(
                f"{folder.path} has no {IMAGE_ONNX_NAME} and {TEXT_ONNX_NAME}; export it: "
                f"sightline models export local-dir:{folder.path} --out NEW_FOLDER"
            )
        definition = (folder.path / TOKENIZER_NAME).read_bytes()
        super().__init__(folder.spec, definition, calibration=read_calibration(folder))
        openvino = import_openvino()
        # Two first conversions at once, in two threads, hang OpenVINO's Python module for ever.
        openvino.Tensor(np.zeros(1, np.float32))
        core = openvino.Core()
        _check_precision(core, precision)
        settings = _settings(precision, threads, cache_folder)
        self._image_tower = _compile(core, folder.path / IMAGE_ONNX_NAME, settings)
        self._text_tower = _compile(core, folder.path / TEXT_ONNX_NAME, settings)

    def close(self) -> None:
        """Release the towers; later calls are an error."""
        self._image_tower = self._text_tower = None

    def _run_images(self, pixels_NSS3: PixelArray) -> FloatArray:
        return _run(self._image_tower, {"pixels": pixels_NSS3})

    def _run_texts(self, batch: TokenBatch) -> FloatArray:
        inputs = {"input_ids": batch.input_ids_NL, "attention_mask": batch.attention_mask_NL}
        return _run(self._text_tower, inputs)


def import_openvino() -> ModuleType:
    """Import OpenVINO with its telemetry switched off, which would report the import to its maker.

    Raises:
        EncoderError: OpenVINO is not installed.
    """
    already_there = _TELEMETRY_PACKAGE in sys.modules
    if not already_there:
        # None makes the import of the package fail, for which OpenVINO has a silent stand-in.
        sys.modules[_TELEMETRY_PACKAGE] = None  # type: ignore[assignment]  # documented by Python
    try:
        openvino = importlib.import_module("openvino")
    except ImportError as error:
        raise EncoderError(
            f"OpenVINO cannot be imported ({error}); install it: pip install -e '.[serve]'"
        ) from error
    finally:
        if not already_there:
            del sys.modules[_TELEMETRY_PACKAGE]
    return openvino


def _settings(precision: Precision, threads: int, cache_folder: Path | None) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": _HINTS[precision],
    }
    if threads > 0:
        settings["INFERENCE_NUM_THREADS"] = threads
    if cache_folder is not None:
        settings["CACHE_DIR"] = str(cache_folder)
    return settings


def _check_precision(core: Any, precision: Precision) -> None:
    if precision not in _HINTS:
        raise EncoderError(f"precision = {precision!r}: expected {' or '.join(_HINTS)}")
    if precision != "bfloat16":
        return
    capabilities = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    if "BF16" not in capabilities:
        raise EncoderError(
            f"this CPU has no bfloat16 (it has {', '.join(capabilities)}); use float32"
        )


def _compile(core: Any, path: Path, settings: Mapping[str, Any]) -> Any:
    """Return an inference request of the compiled ONNX file."""
    try:
        return core.compile_model(str(path), "CPU", dict(settings)).create_infer_request()
    except RuntimeError as error:
        raise EncoderError(f"{path} does not compile: {error}; export the model again") from error


def _run(tower: Any, inputs: Mapping[str, NDArray[Any]]) -> FloatArray:
    """Run one chunk through a tower and return a copy of its output."""
    if tower is None:
        raise EncoderError("the encoder is closed; load it again")
    names = {name for port in tower.model_inputs for name in port.names}
    wanted = {name: array for name, array in inputs.items() if name in names}
    try:
        results = tower.infer(wanted)
    except RuntimeError as error:
        raise EncoderError(f"the model cannot be run on this input: {error}") from error
    return np.array(results[0], np.float32)
