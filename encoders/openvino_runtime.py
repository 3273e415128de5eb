"""The runtime without torch: exported towers run by OpenVINO on the CPU.

# N = items, S = image size
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from functools import cached_property
from itertools import accumulate, pairwise
from pathlib import Path
from types import ModuleType

import numpy as np

from core.errors import EncoderError
from core.types import FloatArray, PixelArray
from encoders.calibration_files import read_calibration
from encoders.compiled_cache import CompiledCache
from encoders.folder import (
    IMAGE_INT8_NAMES,
    IMAGE_ONNX_NAME,
    TEXT_ONNX_NAME,
    TOKENIZER_NAME,
    ModelFolder,
)
from encoders.machine import this_machine
from encoders.openvino_tower import Inputs, OpenVINOTower, check_precision
from encoders.tokenizer import TokenBatch
from encoders.tower_plan import (
    Precision,
    RuntimePlan,
    TowerPlan,
    items_in_bulk,
    sizes_of_runs,
    untuned_plan,
)
from encoders.two_towers import TwoTowerEncoder

_TELEMETRY_PACKAGE = "openvino_telemetry"


class OpenVINOEncoder(TwoTowerEncoder):
    """A model folder run by OpenVINO; an ``Encoder`` (one thread at a time)."""

    def __init__(
        self,
        folder: ModelFolder,
        *,
        plan: RuntimePlan | None = None,
        cache_folder: Path | None = None,
    ) -> None:
        """Compile both towers; what runs many items in a way of its own is compiled when many come.

        Args:
            folder: must have the ONNX files.
            plan: how to run them; by default float32 as OpenVINO thinks best. See
                ``encoders.loading`` for the plan that was measured on this machine.
            cache_folder: where compiled towers are kept for the next start
                (``encoders.compiled_cache``); ``None`` keeps none.

        Raises:
            EncoderError: no ONNX files, a tower that does not compile, a CPU without bfloat16, or
                int8 for a folder without a quantised tower.
        """
        if not folder.has_onnx:
            raise EncoderError(
                f"{folder.path} has no {IMAGE_ONNX_NAME} and {TEXT_ONNX_NAME}; export it: "
                f"sightline models export local-dir:{folder.path} --out NEW_FOLDER"
            )
        definition = (folder.path / TOKENIZER_NAME).read_bytes()
        super().__init__(folder.spec, definition, calibration=read_calibration(folder))
        self.plan = plan or untuned_plan()
        openvino = import_openvino()
        # Two first conversions at once, in two threads, hang OpenVINO's Python module for ever.
        openvino.Tensor(np.zeros(1, np.float32))
        for tower in (self.plan.image, self.plan.images, self.plan.text, self.plan.texts):
            check_precision(openvino, tower.precision)
        cache = None
        if cache_folder is not None:
            cache = CompiledCache(cache_folder, folder.manifest.files, this_machine(openvino))
        self._towers: _Towers | None = _Towers(openvino, folder, self.plan, cache=cache)

    def close(self) -> None:
        """Release the towers; later calls are an error."""
        self._towers = None

    def _run_images(self, pixels_NSS3: PixelArray) -> list[FloatArray]:
        towers = self._open_towers()
        in_bulk = items_in_bulk(len(pixels_NSS3), single=self.plan.image, bulk=self.plan.images)
        sizes = sizes_of_runs(in_bulk, self.plan.images)
        outputs = towers.images.run(_image_inputs(pixels_NSS3, sizes)) if in_bulk else []
        alone_NSS3 = pixels_NSS3[in_bulk:]
        return outputs + towers.image.run(_image_inputs(alone_NSS3, [1] * len(alone_NSS3)))

    def _sizes_of_text_runs(self, count: int) -> list[int]:
        # As few as there are streams gain nothing from them.
        if count <= self.plan.texts.streams:
            return [1] * count
        return sizes_of_runs(count, self.plan.texts)

    def _run_texts(self, batches: Sequence[TokenBatch]) -> list[FloatArray]:
        towers = self._open_towers()
        alone = all(len(batch.input_ids_NL) == 1 for batch in batches)
        tower = towers.text if alone else towers.texts
        return tower.run(
            {"input_ids": batch.input_ids_NL, "attention_mask": batch.attention_mask_NL}
            for batch in batches
        )

    def _open_towers(self) -> _Towers:
        if self._towers is None:
            raise EncoderError("the encoder is closed; load it again")
        return self._towers


def import_openvino() -> ModuleType:
    """Import OpenVINO with its telemetry switched off, which would report the import to its maker.

    Raises:
        EncoderError: OpenVINO is not installed.
    """
    try:
        return import_without_telemetry("openvino")
    except ImportError as error:
        raise EncoderError(
            f"OpenVINO cannot be imported ({error}); install it: pip install -e '.[serve]'"
        ) from error


def import_without_telemetry(name: str) -> ModuleType:
    """Import a package of OpenVINO's makers that would report its import and use.

    Raises:
        ImportError: it is not installed.
    """
    already_there = _TELEMETRY_PACKAGE in sys.modules
    if not already_there:
        # None makes the import of the package fail, for which both have a silent stand-in.
        sys.modules[_TELEMETRY_PACKAGE] = None  # type: ignore[assignment]  # documented by Python
    try:
        return importlib.import_module(name)
    finally:
        if not already_there:
            del sys.modules[_TELEMETRY_PACKAGE]


class _Towers:
    """The compiled towers of a folder, named as in ``RuntimePlan``.

    Those for many items are compiled when many come for the first time: a command that embeds one
    text does not wait for them, and a service is ready sooner.
    """

    def __init__(
        self,
        openvino: ModuleType,
        folder: ModelFolder,
        plan: RuntimePlan,
        *,
        cache: CompiledCache | None,
    ) -> None:
        """Compile the towers for one item."""
        self._openvino = openvino
        self._cache = cache
        self._plan = plan
        self._images_path = _image_path(folder, plan.images.precision)
        self._text_path = folder.path / TEXT_ONNX_NAME
        self.image = self._compiled(_image_path(folder, plan.image.precision), plan.image)
        self.text = self._compiled(self._text_path, plan.text)

    @cached_property
    def images(self) -> OpenVINOTower:
        """The image tower for many."""
        if self._plan.images == self._plan.image:
            return self.image
        return self._compiled(self._images_path, self._plan.images)

    @cached_property
    def texts(self) -> OpenVINOTower:
        """The text tower for many."""
        if self._plan.texts == self._plan.text:
            return self.text
        return self._compiled(self._text_path, self._plan.texts)

    def _compiled(self, path: Path, plan: TowerPlan) -> OpenVINOTower:
        return OpenVINOTower(self._openvino, path, plan, cache=self._cache)


def _image_path(folder: ModelFolder, precision: Precision) -> Path:
    if precision != "int8":
        return folder.path / IMAGE_ONNX_NAME
    if not folder.has_int8:
        raise EncoderError(
            f"{folder.path} has no {IMAGE_INT8_NAMES[0]}, which int8 needs; make it from your own "
            f"pictures: sightline models tune {folder.path} --pairs PAIRS --out NEW_FOLDER"
        )
    return folder.path / IMAGE_INT8_NAMES[0]


def _image_inputs(pixels_NSS3: PixelArray, sizes: Sequence[int]) -> list[Inputs]:
    ends = accumulate(sizes)
    return [{"pixels": pixels_NSS3[start:end]} for start, end in pairwise([0, *ends])]
