"""Rules of how a run ends: early, on a full disk, with an average."""

from __future__ import annotations

import resource
from dataclasses import replace
from pathlib import Path
from typing import Self

import pytest
import torch

from core.errors import TrainingError
from core.progress import SilentProgress
from tests.training.test_trainer import RecordingProgress
from tests.training.tiny import (
    TinyDualEncoder,
    run_data,
    still_model,
    tensor_data,
    tiny_config,
    with_run,
)
from training.checkpoint import read_checkpoint
from training.early_stopping import EarlyStoppingConfig
from training.optimiser import OptimiserConfig
from training.run_values import RunData
from training.trainer import Trainer


class FillsTheDisk(SilentProgress):
    """A progress display after whose advance no file may grow beyond some kilobytes."""

    def __init__(self, *, at_step: int) -> None:
        """Set the limit at that step."""
        self._left = at_step

    def __call__(self, title: str, *, total: int | None, unit: str, initial: int = 0) -> Self:
        """Be the factory of itself."""
        return self

    def advance(self, count: int = 1, **fields: str | float) -> None:
        """Take the room away; the kernel refuses the bytes, as on a full disk."""
        self._left -= 1
        if self._left == 0:
            _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))


def test_a_disk_that_fills_up_during_a_checkpoint_loses_nothing(tmp_path: Path) -> None:
    """The error names the remedy; with room again the run ends as if nothing had happened."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    config = tiny_config(checkpoint_every_steps=2)
    whole = Trainer(TinyDualEncoder(dim=512), run_data(), config, tmp_path / "whole").fit()
    folder = tmp_path / "full"
    display = FillsTheDisk(at_step=5)
    try:
        with pytest.raises(TrainingError, match=r"step-00000006.*Make room.*--resume"):
            Trainer(TinyDualEncoder(dim=512), run_data(), config, folder, display).fit()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    left = [path.name for path in (folder / "checkpoints").iterdir()]
    resumed = Trainer(TinyDualEncoder(dim=512), run_data(), config, folder).fit(resume=True)
    assert sorted(left) == ["step-00000002", "step-00000004"]
    expected, found = read_checkpoint(whole.last).weights, read_checkpoint(resumed.last).weights
    assert all(torch.equal(value, found[name]) for name, value in expected.items())


def test_a_run_without_progress_ends_early(tmp_path: Path) -> None:
    """At a rate of almost nothing no evaluation is better; three are waited for, then it ends."""
    patient = EarlyStoppingConfig(patience=3)
    config = with_run(tiny_config(epochs=9), evaluate_every_steps=2, early_stopping=patient)
    config = replace(config, optimiser=OptimiserConfig(learning_rate=1e-12))

    result = Trainer(still_model(), run_data(), config, tmp_path).fit()
    again = Trainer(still_model(), run_data(), config, tmp_path).fit(resume=True)

    assert (result.steps, result.horizon) == (8, 27)
    assert result.stopped_early
    assert not result.interrupted
    assert read_checkpoint(result.last).state.step == 8
    assert again == result


def test_early_stopping_survives_a_resume(tmp_path: Path) -> None:
    """How long it has waited is in the checkpoint: the broken run ends at the same step."""
    patient = EarlyStoppingConfig(patience=3)
    config = with_run(tiny_config(epochs=9), evaluate_every_steps=2, early_stopping=patient)
    config = replace(config, optimiser=OptimiserConfig(learning_rate=1e-12))
    progress = RecordingProgress(stop_after=5)
    Trainer(still_model(), run_data(), config, tmp_path, progress).fit()

    result = Trainer(still_model(), run_data(), config, tmp_path).fit(resume=True)

    assert result.steps == 8
    assert result.stopped_early


def test_the_average_is_what_is_judged_and_kept(tmp_path: Path) -> None:
    """With a moving average, the best weights are its own, and training goes on with the others."""
    config = with_run(tiny_config(epochs=1), ema_decay=0.9)

    result = Trainer(TinyDualEncoder(), run_data(), config, tmp_path / "ema").fit()
    plain = Trainer(TinyDualEncoder(), run_data(), tiny_config(epochs=1), tmp_path / "plain").fit()

    last, best = read_checkpoint(result.last), read_checkpoint(result.best)
    assert torch.equal(best.weights["image.weight"], last.ema["image.weight"])
    assert not torch.equal(best.weights["image.weight"], last.weights["image.weight"])
    expected = read_checkpoint(plain.last).weights
    assert all(torch.equal(value, last.weights[name]) for name, value in expected.items())


def test_the_average_is_kept_without_held_out_pairs_too(tmp_path: Path) -> None:
    """There is nothing to compare by, but what the run ends with is still the average."""
    config = with_run(tiny_config(epochs=1), ema_decay=0.9)

    result = Trainer(TinyDualEncoder(), RunData(tensor_data(24)), config, tmp_path).fit()

    last, best = read_checkpoint(result.last), read_checkpoint(result.best)
    assert torch.equal(best.weights["image.weight"], last.ema["image.weight"])


def test_a_resumed_average_is_the_same(tmp_path: Path) -> None:
    """Trap 26: the average is part of the checkpoint, bit for bit."""
    config = with_run(tiny_config(), ema_decay=0.9)
    whole = Trainer(TinyDualEncoder(), run_data(), config, tmp_path / "whole").fit()
    folder, progress = tmp_path / "broken", RecordingProgress(stop_after=4)
    Trainer(TinyDualEncoder(), run_data(), config, folder, progress).fit()

    second = Trainer(TinyDualEncoder(seed=9), run_data(), config, folder).fit(resume=True)

    expected, found = read_checkpoint(whole.last).ema, read_checkpoint(second.last).ema
    assert expected
    assert all(torch.equal(value, found[name]) for name, value in expected.items())
