"""Checkpoints: folders that hold everything a run needs to go on to the bit.

    model.safetensors       every parameter and buffer by name
    optimiser.safetensors   the running means of AdamW, as ``<state>/<parameter>``
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

from core.artifacts import new_artifact, read_json, read_manifest, verify_files, write_json
from core.config import from_mapping
from core.errors import ArtifactError, ConflictError, TrainingError
from core.types import JSONObject

KIND = "checkpoint"
FORMAT_VERSION = 1
WEIGHTS_NAME = "model.safetensors"
OPTIMISER_NAME = "optimiser.safetensors"
STATE_NAME = "state.json"
_FOLDER_PATTERN = re.compile(r"step-(\d{8})")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingState:
    """Where a run stands after a step."""

    step: int
    """Optimiser steps done."""
    epoch: int
    """Epoch of the next batch, from 0."""
    cursor: int
    """Number of the next batch in that epoch."""
    horizon: int
    """Steps of the whole run: the learning rate depends on it."""
    seed: int
    """Seed of the run."""
    data_fingerprint: str
    """Digest of the training data."""
    settings: dict[str, object]
    """The settings on which updates depend, by dotted name."""
    best_step: int = -1
    """Step of the best evaluation so far; -1 before the first."""
    best_value: float = 0.0
    """Its value."""
    best_metrics: dict[str, float] = dataclasses.field(default_factory=dict)
    """All its metrics."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A verified checkpoint in memory."""

    folder: Path
    """Where it was read from."""
    weights: dict[str, Tensor]
    """Parameters and buffers by name."""
    optimiser: dict[str, Tensor]
    """Optimiser state as ``<state>/<parameter>``."""
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
) -> None:
    """Write a checkpoint atomically; without ``optimiser`` it holds weights and state alone.

    Raises:
        TrainingError: the disk refused it; earlier checkpoints are untouched.
    """
    if target.exists():
        return
    try:
        with new_artifact(target, kind=KIND, format_version=FORMAT_VERSION) as folder:
            save_file(_saved(model.state_dict()), folder / WEIGHTS_NAME)
            if optimiser is not None:
                save_file(_saved(optimiser_tensors(optimiser)), folder / OPTIMISER_NAME)
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
        optimiser_path = folder / OPTIMISER_NAME
        optimiser = load_file(optimiser_path) if optimiser_path.exists() else {}
    except (OSError, SafetensorError) as error:
        raise ArtifactError(f"{folder} cannot be read: {error}") from error
    return Checkpoint(folder, weights, optimiser, state)


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
    model.load_state_dict(checkpoint.weights)


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


def refuse_other_run(found: TrainingState, wanted: TrainingState, *, folder: Path) -> None:
    """Refuse to resume with other data, another length, or other settings.

    Raises:
        ConflictError: something differs on which the updates depend; the message names it.
    """
    if found.data_fingerprint != wanted.data_fingerprint:
        raise ConflictError(
            f"{folder} was trained on other data: its fingerprint is "
            f"{found.data_fingerprint[:12]}, that of the data given is "
            f"{wanted.data_fingerprint[:12]}; give the same pairs, or "
            "another --out"
        )
    for name in sorted(found.settings.keys() | wanted.settings.keys()):
        before, now = found.settings.get(name), wanted.settings.get(name)
        if before != now:
            raise ConflictError(
                f"{folder} was trained with {name} = {before!r}, now it is {now!r}; "
                "use the recipe of that run, or another --out"
            )
    if found.horizon != wanted.horizon:
        raise ConflictError(
            f"{folder} belongs to a run of {found.horizon} steps, this one has {wanted.horizon}; "
            "its learning rates would differ. Use the recipe of that run, or another --out"
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
    return torch.empty_like(parameter, requires_grad=False).copy_(value)


def _saved(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    # A clone has storage of its own: tied weights would make safetensors refuse.
    return {name: value.detach().cpu().clone().contiguous() for name, value in tensors.items()}


def _state_json(state: TrainingState) -> JSONObject:
    fields: JSONObject = dataclasses.asdict(state)
    return fields
