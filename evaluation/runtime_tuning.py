"""The quickest runtime that keeps the embeddings: speed and fidelity of each precision, together.

# M = pictures, C = captions, D = embedding dimension
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from core.errors import EncoderError, UsageError
from core.progress import ProgressFactory, silent
from encoders.folder import (
    IMAGE_INT8_NAMES,
    IMAGE_ONNX_NAME,
    TEXT_ONNX_NAME,
    TOKENIZER_NAME,
    ModelFolder,
)
from encoders.machine import this_machine
from encoders.openvino_runtime import OpenVINOEncoder, import_openvino
from encoders.openvino_tower import check_precision
from encoders.quantisation import import_nncf, quantise_image_tower
from encoders.runtime_table import RuntimeTable, Variant
from encoders.runtime_tuning import (
    PairedTimer,
    TowerTrial,
    TuningOptions,
    embed_pixels,
    image_trial,
    open_timer,
    text_trial,
    tune_tower,
)
from encoders.tokenizer import TextTokenizer
from encoders.tower_plan import Precision, RuntimePlan, TowerPlan
from evaluation.runtime_fidelity import GATES, Embedded, compare_precisions, why_not
from evaluation.tuning_data import TuningData

PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16", "int8")


@dataclass(frozen=True, slots=True)
class Tuned:
    """What came of tuning."""

    table: RuntimeTable
    int8: dict[str, Path] | None
    """Files of a quantised tower that passed the gate, by the names they have in a folder."""


def tune(
    folder: ModelFolder,
    data: TuningData,
    scratch: Path,
    *,
    precisions: Sequence[Precision] = PRECISIONS,
    options: TuningOptions | None = None,
    progress: ProgressFactory = silent,
) -> Tuned:
    """Measure every precision and choose the quickest of those that pass the gate.

    float32 is measured in any case: it is what the others are compared with.

    Args:
        folder: the model, with ONNX files.
        data: the user's own pictures and captions.
        scratch: an existing folder for the quantised tower.
        precisions: to try.
        options: how much is measured.
        progress: shows how far it is.

    Raises:
        UsageError: an unknown precision.
        EncoderError: no ONNX files, or int8 is wanted and NNCF is not installed.
    """
    _check(folder, precisions)
    wanted = [precision for precision in PRECISIONS if precision in {"float32", *precisions}]
    with progress("tune", total=len(wanted), unit="precisions") as shown:
        trials = _Trials(folder, data, options or TuningOptions(), scratch)
        for precision in wanted:
            trials.add(precision)
            shown.advance()
    variants = tuple(trials.variants)
    passed = {row.precision: row.plan for row in variants if row.passed and row.plan is not None}
    table = RuntimeTable(
        encoder_id=folder.encoder_id,
        machine=trials.machine,
        made_at=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        source=data.source,
        variants=variants,
        chosen=quickest(list(passed.values())),
    )
    return Tuned(table, trials.int8 if "int8" in passed else None)


def quickest(plans: Sequence[RuntimePlan]) -> RuntimePlan:
    """Return the quickest way to run one image, many, one text, and many, out of several plans."""
    return RuntimePlan(
        image=min((plan.image for plan in plans), key=lambda plan: plan.run_ms),
        images=max((plan.images for plan in plans), key=lambda plan: plan.per_second),
        text=min((plan.text for plan in plans), key=lambda plan: plan.run_ms),
        texts=max((plan.texts for plan in plans), key=lambda plan: plan.per_second),
    )


@dataclass
class _Trials:
    """The precisions tried so far."""

    folder: ModelFolder
    data: TuningData
    options: TuningOptions
    scratch: Path
    variants: list[Variant] = field(default_factory=list)
    int8: dict[str, Path] | None = None

    def __post_init__(self) -> None:
        openvino = import_openvino()
        self.machine = this_machine(openvino)
        spec = self.folder.spec
        definition = (self.folder.path / TOKENIZER_NAME).read_bytes()
        self._image = image_trial(
            self.folder.path / IMAGE_ONNX_NAME, self.data.pixels_MSS3, self.options
        )
        self._text = text_trial(
            self.folder.path / TEXT_ONNX_NAME,
            TextTokenizer(definition, spec.text),
            self.data.captions,
            self.options,
        )
        self._image_timer = open_timer(self._image, self.options)
        self._text_timer = open_timer(self._text, self.options)
        self._texts: dict[Precision, tuple[TowerPlan, TowerPlan]] = {}
        self._embedded: dict[Precision, Embedded] = {}

    def add(self, precision: Precision) -> None:
        """Time a precision, embed the pairs with it and judge what comes out."""
        try:
            check_precision(import_openvino(), precision)
            plan = self._int8_plan() if precision == "int8" else self._plan(precision)
        except EncoderError as error:
            if precision == "float32":
                raise
            self.variants.append(Variant(precision, False, str(error), None, None))
            return
        found = self._embed(precision, plan)
        self._embedded[precision] = found
        if precision == "float32":
            self.variants.append(Variant(precision, True, "", None, plan))
            return
        fidelity = compare_precisions(
            found,
            self._embedded["float32"],
            picture_of_C=self.data.picture_of_C,
            held_out_H=self.data.held_out_rows,
        )
        reason = why_not(fidelity, GATES[precision])
        self.variants.append(Variant(precision, not reason, reason, fidelity, plan))

    def _plan(self, precision: Precision) -> RuntimePlan:
        image, images = self._tuned(self._image, precision, self._image_timer)
        self._texts[precision] = self._tuned(self._text, precision, self._text_timer)
        return RuntimePlan(image, images, *self._texts[precision])

    def _int8_plan(self) -> RuntimePlan:
        pixels_NSS3 = self.data.pixels_MSS3[self.data.calibration_rows]
        self.int8 = quantise_image_tower(self.folder, pixels_NSS3, self.scratch)
        trial = dataclasses.replace(self._image, path=self.int8[IMAGE_INT8_NAMES[0]])
        image, images = self._tuned(trial, "int8", self._image_timer)
        return RuntimePlan(image, images, *self._texts[self._short_text()])

    def _tuned(
        self, trial: TowerTrial, precision: Precision, timer: PairedTimer
    ) -> tuple[TowerPlan, TowerPlan]:
        return tune_tower(trial, precision, timer, cores=self.machine.cores)

    def _short_text(self) -> Precision:
        """Return the precision of the text tower beside an int8 image tower."""
        passed = any(row.passed for row in self.variants if row.precision == "bfloat16")
        return "bfloat16" if passed else "float32"

    def _embed(self, precision: Precision, plan: RuntimePlan) -> Embedded:
        """Embed the pairs as the folder would when it is loaded with the plan."""
        if precision == "int8":
            assert self.int8 is not None
            images_MD = embed_pixels(
                self.int8[IMAGE_INT8_NAMES[0]], plan.images, self.data.pixels_MSS3
            )
            return Embedded(images_MD, self._embedded[self._short_text()].captions_CD)
        with closing(OpenVINOEncoder(self.folder, plan=plan)) as encoder:
            return Embedded(
                encoder.encode_images(self.data.pixels_MSS3),
                encoder.encode_texts(self.data.captions),
            )


def _check(folder: ModelFolder, precisions: Sequence[Precision]) -> None:
    """Refuse what would fail after minutes.

    Raises:
        UsageError: an unknown precision.
        EncoderError: no ONNX files, or int8 is wanted and NNCF is not installed.
    """
    for precision in precisions:
        if precision not in PRECISIONS:
            raise UsageError(f"precision {precision!r}: expected {', '.join(PRECISIONS)}")
    if not folder.has_onnx:
        raise EncoderError(
            f"{folder.path} has no {IMAGE_ONNX_NAME} and {TEXT_ONNX_NAME}; export it: "
            f"sightline models export local-dir:{folder.path} --out NEW_FOLDER"
        )
    if "int8" in precisions:
        import_nncf()
