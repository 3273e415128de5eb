"""The weights of a run as a folder that open_clip loads with ``local-dir:``."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from safetensors.torch import save_file

from core.artifacts import new_artifact, write_json
from core.errors import TrainingError
from core.types import JSONObject
from encoders.folder import OPEN_CLIP_CONFIG_NAME, OPEN_CLIP_WEIGHTS_NAME
from encoders.open_clip_definition import NAME_KEY, OWN_KEY
from training.checkpoint import read_checkpoint
from training.towers.lora import merged_state_dict
from training.towers.open_clip_model import BuiltModel

KIND = "open_clip_folder"
FORMAT_VERSION = 1
_PREPROCESS_KEYS = ("mean", "std", "interpolation", "resize_mode")
"""What open_clip writes in its own folders; the size comes from the architecture."""


def export_run(weights: Path, built: BuiltModel, target: Path) -> Path:
    """Write the weights of a checkpoint to ``target`` and return it.

    The folder holds ``open_clip_config.json``, ``open_clip_model.safetensors`` and, for towers with
    a Hugging Face tokenizer, its files; ``open_clip.create_model("local-dir:TARGET")`` reads it
    unless the text tower is one of ours (``encoders.torch_text_towers``). The model is called after
    the folder of the run, in which ``target`` is.

    Args:
        weights: a checkpoint folder, for example ``RunResult.best``.
        built: the model of the run's recipe.
        target: a folder that does not exist yet.

    Raises:
        ArtifactError: ``target`` exists, or the checkpoint cannot be read.
        TrainingError: the weights are not those of the recipe's model.
    """
    tensors = read_checkpoint(weights).weights
    if tensors.keys() != built.model.state_dict().keys():
        raise TrainingError(f"{weights} holds other weights than the model of this recipe")
    tensors = merged_state_dict(built.model, tensors)
    with new_artifact(target, kind=KIND, format_version=FORMAT_VERSION) as folder:
        _write_config(folder, built, name=_name_of(target))
        save_file(tensors, folder / OPEN_CLIP_WEIGHTS_NAME, metadata={"format": "pt"})
        _save_tokenizer(built, folder)
    return target


def _write_config(folder: Path, built: BuiltModel, *, name: str) -> None:
    """Write the ``open_clip_config.json`` of a ``local-dir:`` folder that is called ``name``."""
    kept = {key: value for key, value in built.preprocess_cfg.items() if key in _PREPROCESS_KEYS}
    content = {
        "model_cfg": built.model_cfg,
        "preprocess_cfg": kept,
        OWN_KEY: {**built.own, NAME_KEY: name},
    }
    write_json(folder / OPEN_CLIP_CONFIG_NAME, cast("JSONObject", content))


def _name_of(target: Path) -> str:
    """Return the name of the run's folder; every run calls its model's folder the same."""
    folder = target.resolve()
    return folder.parent.name or folder.name


def _save_tokenizer(built: BuiltModel, folder: Path) -> None:
    """Write the files of a Hugging Face tokenizer; open_clip's own is part of its package."""
    inner = getattr(built.tokenizer, "tokenizer", None)
    save = getattr(inner, "save_pretrained", None)
    if save is not None:
        save(str(folder))
