"""The runtime without torch: exported ONNX towers run by OpenVINO on the CPU.

# N = items, D = embedding dimension, S = image size
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from core.errors import EncoderError
from core.types import FloatArray, PixelArray
from encoders.chunks import embed_pixels, embed_texts
from encoders.folder import IMAGE_ONNX_NAME, TEXT_ONNX_NAME, TOKENIZER_NAME, ModelFolder
from encoders.preprocessing import Preprocessing
from encoders.tokenizer import TextTokenizer, TokenBatch

Precision = Literal["float32", "bfloat16"]

_HINTS: dict[Precision, str] = {"float32": "f32", "bfloat16": "bf16"}
_TELEMETRY_PACKAGE = "openvino_telemetry"


class OpenVINOEncoder:
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
        openvino = import_openvino()
        # Two first conversions at once, in two threads, hang OpenVINO's Python module for ever.
        openvino.Tensor(np.zeros(1, np.float32))
        core = openvino.Core()
        _check_precision(core, precision)
        settings = _settings(precision, threads, cache_folder)
        self._image_tower = _compile(core, folder.path / IMAGE_ONNX_NAME, settings)
        self._text_tower = _compile(core, folder.path / TEXT_ONNX_NAME, settings)
        definition = (folder.path / TOKENIZER_NAME).read_bytes()
        self._tokenizer = TextTokenizer(definition, folder.spec.text)
        self._spec = folder.spec
        self._encoder_id = folder.encoder_id

    @property
    def encoder_id(self) -> str:
        """Digest of weights, preprocessing and tokenizer."""
        return self._encoder_id

    @property
    def name(self) -> str:
        """The name in the spec."""
        return self._spec.name

    @property
    def dim(self) -> int:
        """D, the embedding dimension."""
        return self._spec.dim

    @property
    def preprocessing(self) -> Preprocessing:
        """How image bytes become the pixels that ``encode_images`` takes."""
        return self._spec.preprocessing

    @property
    def logit_scale(self) -> float:
        """The learned inverse temperature, exponentiated."""
        return self._spec.logit_scale

    @property
    def logit_bias(self) -> float:
        """The learned bias, 0.0 for softmax-trained models."""
        return self._spec.logit_bias

    def encode_images(self, pixels_NSS3: PixelArray) -> FloatArray:
        """Return the (N, D) embeddings of preprocessed uint8 pixels (N, S, S, 3).

        Raises:
            EncoderError: the shape does not fit the model, or the output is not finite.
        """
        return embed_pixels(
            pixels_NSS3,
            lambda chunk: _run(self._image_tower, {"pixels": chunk}),
            image_size=self.preprocessing.image_size,
            dim=self.dim,
        )

    def encode_texts(self, texts: Sequence[str]) -> FloatArray:
        """Return the (N, D) embeddings of texts; over-long texts are truncated.

        Raises:
            EncoderError: the output is not finite.
        """
        return embed_texts(texts, self._run_text, tokenizer=self._tokenizer, dim=self.dim)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return how many tokens each text has, special tokens included, before truncation."""
        return self._tokenizer.count_tokens(texts)

    def close(self) -> None:
        """Release the towers; later calls are an error."""
        self._image_tower = self._text_tower = None

    def _run_text(self, batch: TokenBatch) -> FloatArray:
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
        import openvino
    except ImportError as error:
        raise EncoderError(
            f"OpenVINO cannot be imported ({error}); install it: pip install 'sightline[serve]'"
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
