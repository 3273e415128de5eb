"""A whole run: read pairs, build the model, train, write the model's folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from core.artifacts import write_json
from core.errors import ConflictError
from core.progress import ProgressFactory, silent
from core.types import JSONObject
from training.config import TrainConfig
from training.devices import choose_device
from training.distributed import joined_world
from training.losses.temperature import initialise_temperature
from training.open_data import DataOpener, OpenedData, check_teacher
from training.run_export import export_run
from training.run_record import write_run_record
from training.run_values import RunResult
from training.towers.adapt import adapt_towers
from training.towers.open_clip_model import BuiltModel, build_model, model_source
from training.towers.resolution import accept_image_sizes
from training.trainer import Trainer
from training.world import World

MODEL_NAME = "model"
SKIPPED_NAME = "skipped.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainRequest:
    """What is to be trained, on what, and where to."""

    data: Sequence[Path]
    """Sources of training pairs, each of a kind that ``read_pairs`` takes."""
    heldout: Path | None
    """Pairs to judge by; without them a part of the training pairs may be held out."""
    config: TrainConfig
    """The resolved recipe."""
    folder: Path
    """Folder of the run."""
    resume: bool = False
    """Go on from the newest checkpoint in ``folder``."""


@dataclass(frozen=True, slots=True)
class TrainOutcome:
    """What a run left behind."""

    result: RunResult
    """How the training ended."""
    model: Path | None
    """The trained model as an open_clip folder; ``None`` while the run is unfinished."""
    num_pairs: int
    """Pairs that were trained on."""
    num_distinct_captions: int
    """Different captions among them."""
    skipped: dict[str, str]
    """Ids of pairs that could not be used, with the reason; also in ``skipped.json``."""
    is_first: bool = True
    """Whether this process is the one that speaks; the others of ``torchrun`` stay silent."""


def run_training(request: TrainRequest, *, progress: ProgressFactory = silent) -> TrainOutcome:
    """Train as asked and export the best weights to ``FOLDER/model``.

    Started by ``torchrun``, every process calls it and the first one writes.

    Raises:
        UsageError: pairs, recipe or batch size make no sense.
        ConflictError: the folder holds another run, or one that is finished.
        TrainingError: see ``Trainer.fit``.
    """
    target = request.folder / MODEL_NAME
    if target.exists() and not request.resume:
        raise ConflictError(
            f"{request.folder} holds a finished run; choose another --out or delete it"
        )
    with joined_world() as world:
        return _run(request, world, progress if world.is_first else silent)


def _run(request: TrainRequest, world: World, progress: ProgressFactory) -> TrainOutcome:
    config, target = request.config, request.folder / MODEL_NAME
    check_teacher(config)
    built = prepared_model(config)
    opener = DataOpener(
        built, config, request.folder.parent, choose_device(config.run.device), progress
    )
    # The first rank fills the caches on disk, then the others find them there.
    with world.first_goes_first():
        opened = opener.open(request.data, request.heldout)
    trainer = Trainer(built.model, opened.data, config, request.folder, progress, world=world)
    if world.is_first:
        _write_records(request, opened)
    result = trainer.fit(resume=request.resume)
    if world.is_first:
        write_json(request.folder / SKIPPED_NAME, dict(opened.skipped))
        _export(result, built, target)
    world.barrier()
    return TrainOutcome(
        result=result,
        model=None if result.interrupted else target,
        num_pairs=len(opened.data.train),
        num_distinct_captions=opened.num_distinct_captions,
        skipped=opened.skipped,
        is_first=world.is_first,
    )


def prepared_model(config: TrainConfig) -> BuiltModel:
    """Return the model of a recipe as its training starts: temperature set, towers adapted.

    Raises:
        ConfigError: the model cannot be built, or cannot do what the recipe asks of its towers.
    """
    built = build_model(config.model, seed=config.run.seed)
    source = model_source(config.model)
    pretrained = source is not None and source.holds_weights
    initialise_temperature(built.model, config.loss, pretrained=pretrained)
    adapt_towers(built.model, config.towers, seed=config.run.seed)
    if config.schedule.image_sizes:
        accept_image_sizes(built.model, config.schedule.image_sizes)
    if config.loss.kind == "sigmoid":
        # open_clip makes a place for the bias only where the architecture names one.
        model_cfg = {"init_logit_bias": config.loss.initial_bias, **built.model_cfg}
        built = replace(built, model_cfg=model_cfg)
    return built


def _write_records(request: TrainRequest, opened: OpenedData) -> None:
    if request.resume:
        return
    train, heldout = opened.data.train, opened.heldout
    data: JSONObject = {
        "train": [str(source) for source in request.data],
        "train_pairs": len(train),
        "train_fingerprint": train.fingerprint,
        "heldout": str(request.heldout) if request.heldout else None,
        "heldout_images": len(heldout) if heldout is not None else 0,
    }
    write_run_record(request.folder, request.config, data=data)


def _export(result: RunResult, built: BuiltModel, target: Path) -> None:
    if not result.interrupted and not target.exists():
        export_run(result.best, built, target)
