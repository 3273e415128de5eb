"""A whole run: read pairs, build the model, train, write the model's folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from core.artifacts import write_json
from core.errors import ConflictError
from core.pairs import Pair, read_pairs
from core.progress import ProgressFactory, silent
from core.types import JSONObject
from training.config import TrainConfig
from training.open_clip_model import BuiltModel, build_model
from training.pair_dataset import HeldOutPairs, PairDataset, PairSource
from training.run_export import export_run
from training.run_record import write_run_record
from training.trainer import RunData, RunResult, Trainer

MODEL_NAME = "model"
SKIPPED_NAME = "skipped.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainRequest:
    """What is to be trained, on what, and where to."""

    data: Path
    """Training pairs: a folder, ``.csv``, ``.tsv`` or ``.jsonl``."""
    heldout: Path | None
    """Pairs to judge by, of the same kinds."""
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


def run_training(request: TrainRequest, *, progress: ProgressFactory = silent) -> TrainOutcome:
    """Train as asked and export the best weights to ``FOLDER/model``.

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
    config = request.config
    built = build_model(config.model, seed=config.run.seed)
    source = PairSource(
        preprocessing=built.preprocessing,
        tokenize=built.tokenizer,
        config=config.data,
        seed=config.run.seed,
        cache_folder=request.folder.parent / "picture-cache",
        progress=progress,
    )
    train = PairDataset(_read(request.data, config), source)
    heldout = None
    if request.heldout is not None:
        heldout = HeldOutPairs(_read(request.heldout, config), source)
    trainer = Trainer(built.model, RunData(train, heldout), config, request.folder, progress)
    _write_records(request, train, heldout)
    result = trainer.fit(resume=request.resume)
    skipped = _write_skipped(request.folder, train, heldout)
    return TrainOutcome(
        result=result,
        model=_export(result, built, target),
        num_pairs=len(train),
        num_distinct_captions=train.num_distinct_captions,
        skipped=skipped,
    )


def _read(path: Path, config: TrainConfig) -> list[Pair]:
    return read_pairs(
        path,
        image_column=config.data.image_column or None,
        caption_column=config.data.caption_column or None,
    )


def _write_records(request: TrainRequest, train: PairDataset, heldout: HeldOutPairs | None) -> None:
    if request.resume:
        return
    data: JSONObject = {
        "train": str(request.data),
        "train_pairs": len(train),
        "train_fingerprint": train.fingerprint,
        "heldout": str(request.heldout) if request.heldout else None,
        "heldout_images": len(heldout) if heldout else 0,
    }
    write_run_record(request.folder, request.config, data=data)


def _write_skipped(
    folder: Path, train: PairDataset, heldout: HeldOutPairs | None
) -> dict[str, str]:
    skipped = {**train.skipped, **(heldout.skipped if heldout else {})}
    write_json(folder / SKIPPED_NAME, dict(skipped))
    return skipped


def _export(result: RunResult, built: BuiltModel, target: Path) -> Path | None:
    if result.interrupted:
        return None
    if not target.exists():
        export_run(result.best, built, target)
    return target
