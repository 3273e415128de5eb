"""Checkpoints: folders that hold everything a run needs to go on to the bit.

    model.safetensors       every parameter and buffer by name
    optimiser.safetensors   the running means of AdamW, as ``<state>/<parameter>``
    ema.safetensors         the moving average of the weights, where a run keeps one
    state.json              ``TrainingState``
    manifest.json           sha256 of each; written last, so a crash leaves no half checkpoint

Random generators need no room: order, augmentation and dropout are pure functions of (seed, epoch,
index) or (seed, step), see ``training/randomness.py``.
"""

from __future__ import annotations

import dataclasses
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from core.artifacts import new_artifact, read_json, read_manifest, verify_files, write_json
from core.config import from_mapping
from core.errors import ArtifactError, ConflictError, TrainingError
from core.types import JSONObject
from training.sharding import part_of, whole
from training.state import TrainingState
from training.world import World

KIND = "checkpoint"
FORMAT_VERSION = 1
WEIGHTS_NAME = "model.safetensors"
OPTIMISER_NAME = "optimiser.safetensors"
EMA_NAME = "ema.safetensors"
STATE_NAME = "state.json"
_FOLDER_PATTERN = re.compile(r"step-(\d{8})")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A verified checkpoint in memory."""

    folder: Path
    """Where it was read from."""
    weights: dict[str, Tensor]
    """Parameters and buffers by name."""
    optimiser: dict[str, Tensor]
    """Optimiser state as ``<state>/<parameter>``."""
    ema: dict[str, Tensor]
    """The moving average of the weights; empty where the run keeps none."""
    state: TrainingState
    """Where the run stood."""


def checkpoint_folder(folder: Path, step: int) -> Path:
    """Return the path of the checkpoint after ``step`` steps."""
    return folder / f"step-{step:08d}"


def list_checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoints in ``folder``, oldest first; temporary folders do not count."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if _FOLDER_PATTERN.fullmatch(path.name))


def write_checkpoint(
    target: Path,
    *,
    model: nn.Module,
    optimiser: torch.optim.Optimizer | None,
    state: TrainingState,
    ema: Mapping[str, Tensor] | None = None,
    world: World | None = None,
) -> None:
    """Write a checkpoint atomically; without ``optimiser`` it holds weights and state alone.

    Every rank calls it, because each may hold a part of the tensors; the first one writes.

    Raises:
        TrainingError: the disk refused it; earlier checkpoints are untouched.
    """
    files = {WEIGHTS_NAME: _saved(model.state_dict())}
    if optimiser is not None:
        files[OPTIMISER_NAME] = _saved(optimiser_tensors(optimiser))
    if ema:
        files[EMA_NAME] = _saved(ema)
    if target.exists() or (world is not None and not world.is_first):
        return
    try:
        with new_artifact(target, kind=KIND, format_version=FORMAT_VERSION) as folder:
            for name, tensors in files.items():
                save_file(tensors, folder / name)
            write_json(folder / STATE_NAME, _state_json(state))
    except (OSError, SafetensorError) as error:
        raise TrainingError(
            f"cannot write the checkpoint {target}: {error}; earlier checkpoints are intact. "
            "Make room, then go on with --resume"
        ) from error


def read_checkpoint(folder: Path) -> Checkpoint:
    """Read a checkpoint after verifying every digest.

    Raises:
        ArtifactError: it is no checkpoint.
        IntegrityError: a file is missing or damaged.
    """
    manifest = read_manifest(folder, kind=KIND, format_version=FORMAT_VERSION)
    verify_files(folder, manifest)
    fields = read_json(folder / STATE_NAME)
    state = from_mapping(TrainingState, fields, where=str(folder / STATE_NAME))
    try:
        weights = load_file(folder / WEIGHTS_NAME)
        optimiser, ema = (
            load_file(folder / name) if (folder / name).exists() else {}
            for name in (OPTIMISER_NAME, EMA_NAME)
        )
    except (OSError, SafetensorError) as error:
        raise ArtifactError(f"{folder} cannot be read: {error}") from error
    return Checkpoint(folder, weights, optimiser, ema, state)


def restore_weights(model: nn.Module, checkpoint: Checkpoint) -> None:
    """Load the weights of a checkpoint into a model of the same architecture.

    Raises:
        ConflictError: names or shapes differ; the message names the first difference.
    """
    expected = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in checkpoint.weights.items()}
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            raise ConflictError(
                f"{checkpoint.folder} is of another architecture: {name} has shape "
                f"{found.get(name, 'none')} there and {expected.get(name, 'none')} in this model; "
                "use the recipe of that run, or another --out"
            )
    with torch.no_grad():
        for name, value in model.state_dict().items():
            value.copy_(part_of(checkpoint.weights[name], like=value))


def restore_optimiser(optimiser: torch.optim.Optimizer, checkpoint: Checkpoint) -> None:
    """Load the optimiser state of a checkpoint, by the names of the parameters.

    Raises:
        ConflictError: the checkpoint has no state for a parameter.
    """
    tables: dict[str, dict[str, Tensor]] = {}
    for key, value in checkpoint.optimiser.items():
        state_name, _, parameter_name = key.partition("/")
        tables.setdefault(parameter_name, {})[state_name] = value
    for name, parameter in _named(optimiser):
        if name not in tables:
            # A parameter that never got a gradient, such as the bias of a softmax, has no state.
            continue
        table = tables.pop(name)
        optimiser.state[parameter] = {
            key: _laid_out_like(parameter, value) for key, value in table.items()
        }
    if tables:
        raise ConflictError(
            f"{checkpoint.folder} trains {min(tables)}, which this run does not; "
            "use the recipe of that run"
        )


def prune_checkpoints(folder: Path, *, keep: int) -> None:
    """Delete all but the newest ``keep`` checkpoints."""
    for path in list_checkpoints(folder)[:-keep]:
        shutil.rmtree(path)


def drop_checkpoints(folder: Path, *, keep: Callable[[int], bool]) -> None:
    """Delete the checkpoints whose step is not to be kept."""
    for path in list_checkpoints(folder):
        if not keep(int(path.name.removeprefix("step-"))):
            shutil.rmtree(path)


def optimiser_tensors(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return the state of an optimiser whose groups carry ``param_names``, flat."""
    return {
        f"{state_name}/{name}": value
        for name, parameter in _named(optimiser)
        for state_name, value in optimiser.state.get(parameter, {}).items()
    }


def _named(optimiser: torch.optim.Optimizer) -> list[tuple[str, Tensor]]:
    return [
        (name, parameter)
        for group in optimiser.param_groups
        for name, parameter in zip(group["param_names"], group["params"], strict=True)
    ]


def _laid_out_like(parameter: Tensor, value: Tensor) -> Tensor:
    """Return ``value`` on the device and, where shapes agree, in the memory order of a parameter.

    The fused AdamW walks a parameter and its state as flat memory.
    """
    if value.shape != parameter.shape:
        return value.to(parameter.device)
    if isinstance(parameter, DTensor):
        return part_of(value, like=parameter)
    return torch.empty_like(parameter, requires_grad=False).copy_(value)


def _saved(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    # A clone has storage of its own: tied weights would make safetensors refuse.
    return {name: whole(value).cpu().clone().contiguous() for name, value in tensors.items()}


def _state_json(state: TrainingState) -> JSONObject:
    fields: JSONObject = dataclasses.asdict(state)
    return fields
