"""int8 image towers: NNCF's post-training quantisation, calibrated on the user's own pictures.

Products of two activations, those inside attention, stay in float: their range has outliers, and
int8 would cost most of the fidelity there and win least of the time. Text towers are never
quantised: their int8 embeddings do not rank as the float32 ones do.

# N = pictures, S = image size
"""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from core.errors import EncoderError
from core.types import PixelArray
from encoders.folder import IMAGE_INT8_NAMES, IMAGE_ONNX_NAME, ModelFolder
from encoders.openvino_core import openvino_core
from encoders.openvino_runtime import import_openvino, import_without_telemetry

_PASSED_ON = frozenset({"Convert", "Reshape", "Transpose", "Unsqueeze", "Squeeze", "Multiply"})
"""Operations between a stored weight and the product that uses it."""


def import_nncf() -> ModuleType:
    """Import NNCF with its telemetry switched off.

    Raises:
        EncoderError: NNCF is not installed.
    """
    try:
        return import_without_telemetry("nncf")
    except ImportError as error:
        raise EncoderError(
            f"int8 towers are made by NNCF, which cannot be imported ({error}); install the extra "
            "'tune': pip install -e '.[tune]'; the tuned folder runs without it"
        ) from error


def quantise_image_tower(
    folder: ModelFolder, pixels_NSS3: PixelArray, target: Path
) -> dict[str, Path]:
    """Write the image tower of a folder in int8.

    Args:
        folder: must have the ONNX files.
        pixels_NSS3: preprocessed pictures that the ranges of the activations are taken from; a
            hundred or more, like those that will be embedded.
        target: an existing folder that gets the two files.

    Returns:
        The files by the names that they have in a model folder.

    Raises:
        EncoderError: NNCF is not installed, or cannot quantise this tower.
    """
    openvino, nncf = import_openvino(), import_nncf()
    tower = openvino_core(openvino).read_model(str(folder.path / IMAGE_ONNX_NAME))
    kept = products_of_activations(tower)
    samples = nncf.Dataset([{"pixels": pixels_SS3[None]} for pixels_SS3 in pixels_NSS3])
    try:
        with _quiet():
            quantised = nncf.quantize(
                tower,
                samples,
                subset_size=len(pixels_NSS3),
                model_type=nncf.ModelType.TRANSFORMER if kept else None,
                preset=nncf.QuantizationPreset.MIXED,
                ignored_scope=nncf.IgnoredScope(names=kept) if kept else None,
            )
    except (RuntimeError, ValueError, nncf.InternalError, nncf.ValidationError) as error:
        raise EncoderError(
            f"NNCF cannot quantise {folder.path / IMAGE_ONNX_NAME}: {error}; tune without int8"
        ) from error
    paths = {name: target / name for name in IMAGE_INT8_NAMES}
    openvino.save_model(quantised, str(paths[IMAGE_INT8_NAMES[0]]), compress_to_fp16=False)
    return paths


def products_of_activations(tower: Any) -> list[str]:
    """Return the names of the matrix products neither side of which is a stored weight."""
    return [
        operation.get_friendly_name()
        for operation in tower.get_ops()
        if operation.get_type_name() == "MatMul"
        and not any(_is_weight(operation.input_value(side).get_node()) for side in (0, 1))
    ]


def _is_weight(node: Any) -> bool:
    while node.get_type_name() in _PASSED_ON:
        node = node.input_value(0).get_node()
    return bool(node.get_type_name() == "Constant")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the bars and remarks of NNCF off the output of a command."""
    logger = logging.getLogger("nncf")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logger.setLevel(level)
