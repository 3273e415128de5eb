"""The models that are merged: named as the user names them, loaded one at a time.

RUN                       a finished run: its ``RUN/model``
RUN/checkpoints           every checkpoint of a finished run
RUN/checkpoints/step-...  one checkpoint
model folder              with open_clip weights
local-dir:..., NAME/TAG, NAME:/path/weights.pt   whatever ``open_clip_source`` knows
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from core.errors import ConflictError, EncoderError, NotFoundError
from encoders.folder import OPEN_CLIP_CONFIG_NAME, is_model_folder, open_model_folder
from encoders.open_clip_source import OpenClipModel, load_open_clip
from training.checkpoint import STATE_NAME, list_checkpoints, read_checkpoint

_MODEL_NAME = "model"
_CHECKPOINTS_NAME = "checkpoints"


@dataclass(frozen=True, slots=True)
class MergeModel:
    """One loaded model of a merge."""

    source: str
    """What the user calls it."""
    model: OpenClipModel
    """Architecture, preprocessing and tokenizer; its module may hold other weights."""
    weights: dict[str, Tensor]
    """Parameters and buffers by name."""

    @property
    def module(self) -> nn.Module:
        """Return the module that the weights fit into."""
        return self.model.module


def expanded(sources: Sequence[str]) -> list[str]:
    """Return the sources with each folder of checkpoints replaced by its checkpoints, oldest first.

    Raises:
        NotFoundError: such a folder is empty.
    """
    found: list[str] = []
    for source in sources:
        path = Path(source).expanduser()
        if path.name != _CHECKPOINTS_NAME or not path.is_dir():
            found.append(source)
            continue
        checkpoints = list_checkpoints(path)
        if not checkpoints:
            raise NotFoundError(f"{path} holds no checkpoint; keep some with run.keep_checkpoints")
        found.extend(str(checkpoint) for checkpoint in checkpoints)
    return found


def load_merge_model(source: str) -> MergeModel:
    """Load one model.

    Raises:
        NotFoundError: a folder that is neither a model, nor a run, nor a checkpoint.
        EncoderError: a model that open_clip cannot load, or whose tokenizer is not at hand.
        ConflictError: a checkpoint that holds other weights than the model of its run.
    """
    path = Path(source).expanduser()
    if (path / STATE_NAME).is_file():
        return _load_checkpoint(source, path)
    if is_model_folder(path):
        return _merge_model(source, load_open_clip(open_model_folder(path)))
    if (path / _MODEL_NAME / OPEN_CLIP_CONFIG_NAME).is_file():
        path = path / _MODEL_NAME
    if not path.is_dir():
        return _merge_model(source, load_open_clip(source))
    if not (path / OPEN_CLIP_CONFIG_NAME).is_file():
        raise NotFoundError(
            f"{path} is no model folder, no finished run and no checkpoint; give RUN, "
            "RUN/checkpoints, a model folder, local-dir:FOLDER or NAME/TAG"
        )
    return _merge_model(source, load_open_clip(f"local-dir:{path}"))


def _merge_model(source: str, model: OpenClipModel) -> MergeModel:
    if model.tokenizer is None:
        raise EncoderError(
            f"{source} holds its tokenizer in the form for serving only; name the run that it was "
            "exported from, or its local-dir: folder"
        )
    return MergeModel(source, model, dict(model.module.state_dict()))


def _load_checkpoint(source: str, path: Path) -> MergeModel:
    """Return the weights of a checkpoint in the architecture of its run's model."""
    run = path.resolve().parent.parent
    if not (run / _MODEL_NAME / OPEN_CLIP_CONFIG_NAME).is_file():
        raise NotFoundError(
            f"{path} does not say of which architecture it is: {run / _MODEL_NAME} is missing; "
            "finish the run first (sightline train ... --resume)"
        )
    model = load_open_clip(f"local-dir:{run / _MODEL_NAME}")
    weights = read_checkpoint(path).weights
    expected = model.module.state_dict()
    for name in sorted(expected.keys() | weights.keys()):
        if name not in expected or name not in weights:
            raise ConflictError(
                f"{path} holds other weights than the model of its run (first {name}); checkpoints "
                "of a run with LoRA cannot be averaged, merge finished models instead"
            )
    return MergeModel(source, model, weights)
