"""The training loop: any dual encoder, any source of batches, resumable to the bit."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from core.errors import ConfigError, TrainingError
from core.prefetch import prefetched
from core.progress import ProgressFactory, silent
from core.types import IdArray
from training.backward import Chunking
from training.config import TrainConfig, update_settings
from training.data.batches import MIN_BATCH, Batch, BatchPlan, TrainingData
from training.data.ordering import Ordering
from training.devices import choose_device, graph_memory_bytes
from training.interrupt import InterruptGuard
from training.judge import Judge
from training.keeper import Keeper
from training.losses.contrastive import ContrastiveLoss
from training.optimiser import build_optimiser
from training.run_folder import RunFolder
from training.run_record import RunStatus
from training.run_values import RunData, RunResult
from training.schedule import learning_rate_at, total_steps
from training.session import Session
from training.sharding import shard
from training.state import TrainingState
from training.step import StepConfig, Stepper, StepResult
from training.towers.batch_norm import has_batch_norm
from training.towers.computed import FeatureTowers
from training.towers.dual_encoder import as_dual_encoder
from training.towers.forward import TwoTowers
from training.towers.resolution import image_size_at
from training.world import World


class Trainer:
    """Trains one model in one folder."""

    def __init__(
        self,
        model: nn.Module,
        data: RunData,
        config: TrainConfig,
        folder: Path,
        progress: ProgressFactory = silent,
        *,
        world: World | None = None,
    ) -> None:
        """Check the model and the data, and move the model to its device.

        Every process of ``world`` makes a trainer with the same arguments.

        Raises:
            TrainingError: the model breaks the contract of ``DualEncoder``, or CUDA is missing.
            PairsError: fewer than two training pairs.
            ConfigError: a batch larger than the data, or one that the processes cannot share.
        """
        self._world = world or World.single()
        self._config, self._data = config, data
        self._progress = progress if self._world.is_first else silent
        self._folder = folder
        self._plan = plan_of(data.train, config, self._world)
        self._device = choose_device(config.run.device)
        self._towers = self._make_towers(model, data)
        optimiser = build_optimiser(self._towers.model, config.optimiser, config.towers)
        self._stepper = self._make_stepper(optimiser)
        judge = Judge(data, config.run, device=self._device)
        kept = RunFolder(folder, keep=config.run.keep_checkpoints, world=self._world)
        self._keeper = Keeper(self._towers, optimiser, judge, kept, config.run)
        self._kept, self._judge = kept, judge
        self._state = TrainingState(
            step=0,
            epoch=0,
            cursor=0,
            horizon=total_steps(config.schedule, steps_per_epoch=self._plan.steps_per_epoch),
            seed=config.run.seed,
            data_fingerprint=data.train.fingerprint,
            settings=dict(update_settings(config)),
        )

    def fit(self, *, resume: bool = False) -> RunResult:
        """Train to the horizon, or until Ctrl-C, and return where the weights are.

        Raises:
            ConflictError: the folder holds a run and ``resume`` is false, or its checkpoint is of
                another architecture, data set or recipe.
            TrainingError: ``resume`` without a checkpoint, or a disk that refuses a checkpoint.
            NonFiniteLossError: a loss is NaN or infinite; checkpoints so far are intact.
        """
        if self._config.run.threads:
            torch.set_num_threads(self._config.run.threads)
        self._state = self._keeper.enter(self._state, resume=resume)
        if self._state.grad_scaler:
            self._stepper.scaler.load_state_dict(dict(self._state.grad_scaler))
        session = Session(
            self._folder,
            self._config,
            self._state,
            device=self._device,
            world=self._world,
            progress=self._progress,
        )
        with InterruptGuard() as guard, session:
            try:
                self._train(guard, session)
            except OSError as error:
                raise TrainingError(
                    f"{self._folder} cannot be written: {error}; checkpoints so far are "
                    "intact. Make room, then go on with --resume"
                ) from error
            session.status = self._status()
        # The first rank may still be writing.
        self._world.barrier()
        return self._result()

    def _make_towers(self, model: nn.Module, data: RunData) -> TwoTowers:
        config = self._config.run
        towers = FeatureTowers(
            as_dual_encoder(model).to(self._device),
            data.preprocessing,
            computed=data.computed,
            compile_towers=config.compile,
        )
        if config.chunk_size or self._world.size > 1:
            refuse_batch_statistics(towers.model)
        if config.shard and self._world.size > 1:
            shard(towers, self._world, device=self._device)
        return towers

    def _make_stepper(self, optimiser: torch.optim.Optimizer) -> Stepper:
        run = self._config.run
        limit = graph_memory_bytes(self._device, limit_mb=run.graph_memory_mb)
        return Stepper(
            self._towers,
            ContrastiveLoss(self._config.loss, self._world),
            optimiser,
            device=self._device,
            config=StepConfig(
                precision=run.precision,
                chunking=Chunking(size=run.chunk_size, graph_bytes=limit),
                max_grad_norm=self._config.optimiser.max_grad_norm,
                loss_kind=self._config.loss.kind,
                seed=run.seed,
            ),
            world=self._world,
        )

    def _train(self, guard: InterruptGuard, session: Session) -> None:
        if self._keeper.is_over(self._state):
            return
        self._towers.train()
        positions = self._plan.positions(
            epoch=self._state.epoch,
            cursor=self._state.cursor,
            steps=self._state.horizon - self._state.step,
            epochs=self._config.schedule.epochs,
        )
        workers = self._config.data.workers
        with closing(prefetched(self._make_batch, positions, workers=workers)) as batches:
            for whole_batch in batches:
                session.got_batch()
                batch, stopping = self._agreed(whole_batch, stopping=guard.requested)
                result = self._step(batch)
                session.stepped(
                    self._state,
                    result,
                    samples=len(batch) * self._world.size,
                    learning_rate=self._learning_rate(),
                    best=self._judge.shown(self._state),
                )
                with session.paused():
                    stopping = self._keep(session, stopping=stopping)
                if stopping:
                    return

    def _keep(self, session: Session, *, stopping: bool) -> bool:
        """Evaluate and write what is due; return whether the run stops here."""
        if self._keeper.evaluation_is_due(self._state):
            self._state, metrics = self._keeper.evaluate(self._state)
            session.evaluated(self._state, metrics)
            stopping = stopping or self._keeper.is_over(self._state)
        self._state = self._keeper.write(self._state, stopping=stopping)
        return stopping

    def _make_batch(self, position: tuple[int, IdArray]) -> Batch:
        epoch, indices_B = position
        part = self._world.part(len(indices_B))
        return self._data.train.batch(indices_B[part], epoch=epoch)

    def _agreed(self, batch: Batch, *, stopping: bool) -> tuple[Batch, bool]:
        """Return what all ranks do: the pairs that each of them has, and whether they stop.

        A rank that had to leave out a picture has fewer pairs than the others.
        """
        fewest, stop = self._world.agree(len(batch), stopping=stopping, device=self._device)
        return (batch if fewest == len(batch) else batch.rows(0, fewest)), stop

    def _step(self, batch: Batch) -> StepResult | None:
        """Make one update and move the position; a batch without a negative is passed over."""
        result = None
        if len(batch) * self._world.size >= MIN_BATCH and len(batch) > 0:
            result = self._stepper.step(
                batch,
                number=self._state.step,
                learning_rate=self._learning_rate(),
                image_size=self._image_size(),
            )
        cursor = self._state.cursor + 1
        at_end = cursor == self._plan.steps_per_epoch
        self._state = replace(
            self._state,
            step=self._state.step + 1,
            epoch=self._state.epoch + (1 if at_end else 0),
            cursor=0 if at_end else cursor,
            grad_scaler=dict(self._stepper.scaler.state_dict()),
        )
        self._keeper.updated(self._state)
        return result

    def _learning_rate(self) -> float:
        return learning_rate_at(
            self._state.step,
            peak=self._config.optimiser.learning_rate,
            horizon=self._state.horizon,
            config=self._config.schedule,
        )

    def _image_size(self) -> int | None:
        sizes = self._config.schedule.image_sizes
        if not sizes:
            return None
        return image_size_at(self._state.step, horizon=self._state.horizon, sizes=sizes)

    def _status(self) -> RunStatus:
        if self._keeper.is_over(self._state):
            return "stopped_early"
        return "finished" if self._state.step == self._state.horizon else "interrupted"

    def _result(self) -> RunResult:
        status = self._status()
        return RunResult(
            steps=self._state.step,
            horizon=self._state.horizon,
            interrupted=status == "interrupted",
            last=self._kept.last(),
            best=self._kept.best(self._state),
            metrics=self._state.best_metrics,
            stopped_early=status == "stopped_early",
        )


def refuse_batch_statistics(model: nn.Module) -> None:
    """Refuse batch norm that would see a part of the batch and call it the whole.

    Raises:
        ConfigError: the model has such a layer.
    """
    if has_batch_norm(model):
        raise ConfigError(
            "the model has batch norm, whose statistics would be those of a chunk or of one "
            "process instead of the batch; set towers.image.freeze_batch_norm = true, or use "
            "neither run.chunk_size nor several processes"
        )


def plan_of(data: TrainingData, config: TrainConfig, world: World) -> BatchPlan:
    """Return which pairs make which batch.

    Raises:
        PairsError: fewer than two pairs.
        ConfigError: a batch larger than the data, or one that the processes cannot share.
    """
    size = config.data.batch_size
    if size % world.size:
        raise ConfigError(
            f"data.batch_size = {size} cannot be shared by {world.size} processes; "
            f"use a multiple of {world.size}"
        )
    return BatchPlan(
        num_pairs=len(data),
        batch_size=size,
        seed=config.run.seed,
        drop_last=config.data.drop_last,
        ordering=Ordering(data, config.data, config.run.seed),
    )
