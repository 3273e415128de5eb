"""A model by path or by name to a running encoder: the one door for every use of a model."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Literal

from core.errors import EncoderError, NotFoundError
from encoders.calibration_files import read_calibration
from encoders.encoder import Encoder
from encoders.folder import OPEN_CLIP_CONFIG_NAME, ModelFolder, is_model_folder, open_model_folder
from encoders.machine import this_machine
from encoders.openvino_runtime import OpenVINOEncoder, import_openvino
from encoders.openvino_tower import short_precision
from encoders.runtime_table import RuntimeTable, read_runtime_table
from encoders.tower_plan import Precision, PrecisionChoice, RuntimePlan, untuned_plan

logger = logging.getLogger(__name__)

Runtime = Literal["auto", "openvino", "torch"]
Device = Literal["auto", "cpu", "cuda"]

STARTER_MODEL = Path(__file__).parent / "starter"
"""The model that is used where none is named."""


def load_encoder(
    model: str | Path,
    *,
    runtime: Runtime = "auto",
    precision: PrecisionChoice = "auto",
    threads: int = 0,
    device: Device = "auto",
    cache_folder: Path | None = None,
    compile_towers: bool = False,
) -> Encoder:
    """Load a model folder, or with the torch runtime any open_clip model.

    Args:
        model: the path of a model folder, or an open_clip source: ``ViT-B-32/laion2b_s34b_b79k``,
            ``ViT-B-32:/path/weights.pt``, ``local-dir:/path``, ``hf-hub:org/name``.
        runtime: ``auto`` takes OpenVINO for a folder that has ONNX files, torch otherwise.
        precision: of the arithmetic; embeddings are float32 in any case. ``auto`` is what
            ``sightline models tune`` chose on this machine, float32 where it was not asked.
        threads: CPU threads, 0 for the runtime's own choice.
        device: of the torch runtime; ``auto`` takes CUDA where there is one.
        cache_folder: where compiled towers are kept for the next start; ``None`` keeps none.
        compile_towers: let the torch runtime translate its towers by ``torch.compile``.

    Raises:
        NotFoundError: nothing of that name.
        ArtifactError: a damaged model folder.
        EncoderError: the model cannot be loaded by the runtime.
    """
    folder = _folder(model)
    if folder is not None and runtime != "torch" and (folder.has_onnx or runtime == "openvino"):
        plan = runtime_plan(folder, precision, threads=threads)
        return OpenVINOEncoder(folder, plan=plan, cache_folder=cache_folder)
    if runtime == "openvino":
        raise EncoderError(
            f"{model} is no model folder, which the runtime openvino needs; export it first: "
            f"sightline models export {model} --out FOLDER"
        )
    return _load_torch(
        folder or str(model),
        precision="float32" if precision == "auto" else precision,
        threads=threads,
        device=device,
        compile_towers=compile_towers,
    )


def runtime_plan(
    folder: ModelFolder, precision: PrecisionChoice = "auto", *, threads: int = 0
) -> RuntimePlan:
    """Return how the towers of a folder are run with OpenVINO.

    What was measured on this machine is used for the precision that is asked for. With a number of
    threads of the caller's own, only the choice of precision is taken from it.

    Raises:
        ArtifactError: a damaged table.
        EncoderError: an unknown precision, or OpenVINO is not installed.
    """
    if precision not in {"auto", "float32", "bfloat16", "int8"}:
        raise EncoderError(f"precision = {precision!r}: expected auto, float32, bfloat16 or int8")
    table = _table_of_this_machine(folder, asked=precision)
    if table is not None and precision == "auto":
        chosen = table.chosen
        if not threads:
            return chosen
        return untuned_plan(chosen.images.precision, text=chosen.texts.precision, threads=threads)
    wanted: Precision = "float32" if precision == "auto" else precision
    measured = table.plan_for(wanted) if table is not None else None
    if measured is not None and not threads:
        return measured
    text = short_precision(import_openvino()) if wanted == "int8" else wanted
    return untuned_plan(wanted, text=text, threads=threads)


def _table_of_this_machine(folder: ModelFolder, *, asked: PrecisionChoice) -> RuntimeTable | None:
    """Return what was measured here; a table of another machine is named in the log."""
    table = read_runtime_table(folder)
    if table is None:
        return None
    here = this_machine(import_openvino())
    if table.machine == here:
        return table
    logger.warning(
        "the runtime table of the model is another machine's; tune the model here: "
        "sightline models tune",
        extra={
            "model": str(folder.path),
            "tuned_on": str(table.machine),
            "here": str(here),
            "precision": "float32" if asked == "auto" else asked,
        },
    )
    return None


def require_training_extra(error: ImportError) -> EncoderError:
    """Return the error of what needs torch in an environment without it."""
    return EncoderError(
        f"this needs torch and open_clip ({error}); in the project's folder install the extra "
        "'train': pip install -e '.[train]'; what 'sightline models export' writes runs without it"
    )


def _folder(model: str | Path) -> ModelFolder | None:
    """Return the opened model folder, or ``None`` where ``model`` is an open_clip source."""
    path = Path(model).expanduser()
    if is_model_folder(path):
        return open_model_folder(path)
    if (path / OPEN_CLIP_CONFIG_NAME).is_file():
        return None
    if path.exists() or isinstance(model, Path):
        raise NotFoundError(
            f"{path} is no model folder: it has no model.json; give the folder that "
            "sightline models export wrote"
        )
    return None


def _load_torch(
    model: ModelFolder | str,
    *,
    precision: Precision,
    threads: int,
    device: Device,
    compile_towers: bool,
) -> Encoder:
    try:
        from encoders.open_clip_source import load_open_clip
        from encoders.torch_runtime import TorchEncoder
    except ImportError as error:
        raise require_training_extra(error) from error
    return TorchEncoder(
        load_open_clip(model),
        precision=precision,
        threads=threads,
        device=device,
        compile_towers=compile_towers,
        calibration=read_calibration(model) if isinstance(model, ModelFolder) else None,
    )
