"""The weights of a run as a folder that open_clip loads with ``local-dir:``."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import save_file

from core.artifacts import new_artifact
from core.errors import TrainingError
from training.checkpoint import read_checkpoint
from training.open_clip_model import WEIGHTS_NAME, BuiltModel, write_open_clip_config

KIND = "open_clip_folder"
FORMAT_VERSION = 1


def export_run(weights: Path, built: BuiltModel, target: Path) -> Path:
    """Write the weights of a checkpoint to ``target`` and return it.

    The folder holds ``open_clip_config.json``, ``open_clip_model.safetensors`` and, for towers with
    a Hugging Face tokenizer, its files; ``open_clip.create_model("local-dir:TARGET")`` reads it.

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
    with new_artifact(target, kind=KIND, format_version=FORMAT_VERSION) as folder:
        write_open_clip_config(folder, built.model_cfg, built.preprocess_cfg)
        save_file(tensors, folder / WEIGHTS_NAME, metadata={"format": "pt"})
        _save_tokenizer(built, folder)
    return target


def _save_tokenizer(built: BuiltModel, folder: Path) -> None:
    """Write the files of a Hugging Face tokenizer; open_clip's own is part of its package."""
    inner = getattr(built.tokenizer, "tokenizer", None)
    save = getattr(inner, "save_pretrained", None)
    if save is not None:
        save(str(folder))
