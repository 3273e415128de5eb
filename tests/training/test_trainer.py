"""Rules of the training loop."""

from __future__ import annotations

import json
import math
import signal
from dataclasses import replace
from pathlib import Path
from typing import Self

import pytest
import torch

from core.errors import ConfigError, ConflictError, NonFiniteLossError, TrainingError
from core.progress import SilentProgress
from tests.training.tiny import (
    TinyDualEncoder,
    run_data,
    still_model,
    tensor_data,
    tiny_config,
    with_run,
)
from training.checkpoint import list_checkpoints, read_checkpoint
from training.config import RunConfig, TrainConfig
from training.data.config import DataConfig
from training.data.tensor_data import TensorData
from training.run_values import RunData
from training.schedule import ScheduleConfig
from training.trainer import Trainer
from training.world import World


class RecordingProgress(SilentProgress):
    """Keeps what it is told, and calls a function at one advance."""

    def __init__(self, *, stop_after: int = 0) -> None:
        """Send this process a SIGINT after ``stop_after`` advances; 0 never does."""
        self.counts: list[int] = []
        self.fields: dict[str, str | float] = {}
        self.total: int | None = None
        self.initial = 0
        self._stop_after = stop_after

    def __call__(self, title: str, *, total: int | None, unit: str, initial: int = 0) -> Self:
        """Be the factory of itself."""
        self.total, self.initial = total, initial
        return self

    def advance(self, count: int = 1, **fields: str | float) -> None:
        """Keep the count; interrupt as Ctrl-C would."""
        self.counts.append(count)
        self.fields = fields
        if len(self.counts) == self._stop_after:
            signal.raise_signal(signal.SIGINT)


def lines_of(folder: Path, kind: str) -> list[dict[str, float]]:
    """Return the lines of one kind in the metrics of a run."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [line for line in lines if line["kind"] == kind]


def test_a_run_learns_and_says_so(tmp_path: Path) -> None:
    """On pairs with a common cause the loss falls and held-out retrieval beats chance."""
    progress = RecordingProgress()

    result = Trainer(
        TinyDualEncoder(), run_data(40), tiny_config(epochs=30), tmp_path, progress
    ).fit()

    losses = [line["loss"] for line in lines_of(tmp_path, "train")]
    assert (result.steps, result.horizon, result.interrupted) == (150, 150, False)
    assert losses[0] > 1.3
    assert losses[-1] < 0.6 * losses[0]
    assert result.metrics["text_to_image_hit@1"] > 5 * result.metrics["text_to_image_chance_hit@1"]
    assert progress.total == 150 * 8
    assert progress.counts == [8] * 150
    assert set(progress.fields) == {"loss", "scale", "step", "data", "mrr"}


def test_the_log_holds_rates_and_temperature(tmp_path: Path) -> None:
    """Each train line says loss, scale, gradient norm, learning rate, speed and waiting time."""
    Trainer(TinyDualEncoder(), run_data(), tiny_config(epochs=1), tmp_path).fit()

    line = lines_of(tmp_path, "train")[0]
    assert set(line) == {
        "kind", "step", "epoch", "loss", "logit_scale", "grad_norm", "lr", "samples_per_s",
        "data_wait", "step_s", "log_scale", "at_clamp",
    }  # fmt: skip
    assert line["logit_scale"] == pytest.approx(14.3, abs=0.2)


def test_checkpoints_and_best_weights_stay(tmp_path: Path) -> None:
    """The newest two checkpoints are kept, and the best weights beside them."""
    result = Trainer(TinyDualEncoder(), run_data(), tiny_config(epochs=5), tmp_path).fit()

    names = [path.name for path in list_checkpoints(tmp_path / "checkpoints")]
    best = [path.name for path in list_checkpoints(tmp_path / "best")]
    heldout = lines_of(tmp_path, "heldout")
    top = max(heldout, key=lambda line: line["mean_mrr"])
    assert names == ["step-00000012", "step-00000015"]
    assert best == [f"step-{top['step']:08d}"]
    assert result.best == tmp_path / "best" / best[0]
    assert result.metrics["mean_mrr"] == top["mean_mrr"]


def test_without_held_out_pairs_the_last_weights_count(tmp_path: Path) -> None:
    """There is nothing to compare by, so the newest checkpoint is the best."""
    data = RunData(tensor_data(24))

    result = Trainer(TinyDualEncoder(), data, tiny_config(epochs=1), tmp_path).fit()

    assert result.best == result.last == tmp_path / "checkpoints" / "step-00000003"
    assert result.metrics == {}


def test_intervals_by_step(tmp_path: Path) -> None:
    """Evaluation every 2 and checkpoints every 4 of 9 steps, and both at the end."""
    config = tiny_config(evaluate_every_steps=2, checkpoint_every_steps=4, keep_checkpoints=9)

    Trainer(TinyDualEncoder(), run_data(), config, tmp_path).fit()

    steps = [line["step"] for line in lines_of(tmp_path, "heldout")]
    names = [path.name[-2:] for path in list_checkpoints(tmp_path / "checkpoints")]
    assert steps == [2, 4, 6, 8, 9]
    assert names == ["04", "08", "09"]


@pytest.mark.parametrize("stop_after", [1, 4, 6])
def test_a_resumed_run_ends_with_the_same_weights(tmp_path: Path, stop_after: int) -> None:
    """Ctrl-C in the middle of an epoch, then resume: every tensor equals the unbroken run's."""
    whole = Trainer(TinyDualEncoder(), run_data(), tiny_config(), tmp_path / "whole").fit()
    progress = RecordingProgress(stop_after=stop_after)
    folder = tmp_path / "broken"

    first = Trainer(TinyDualEncoder(), run_data(), tiny_config(), folder, progress).fit()
    # Another initialisation shows that everything comes from the checkpoint.
    second = Trainer(TinyDualEncoder(seed=9), run_data(), tiny_config(), folder).fit(resume=True)

    assert (first.interrupted, second.interrupted) == (True, False)
    assert first.steps <= stop_after + 1
    expected, found = read_checkpoint(whole.last), read_checkpoint(second.last)
    assert expected.weights.keys() == found.weights.keys()
    for name, value in expected.weights.items():
        assert torch.equal(value, found.weights[name]), name
    for name, value in expected.optimiser.items():
        assert torch.equal(value, found.optimiser[name]), name
    assert found.state == expected.state
    steps = [line["step"] for line in lines_of(folder, "train")]
    assert steps == list(range(1, 10))


def test_resume_goes_on_with_another_number_of_workers(tmp_path: Path) -> None:
    """Workers change the speed, never the result."""
    whole = Trainer(TinyDualEncoder(), run_data(), tiny_config(), tmp_path / "whole").fit()
    folder = tmp_path / "broken"
    progress = RecordingProgress(stop_after=2)
    Trainer(TinyDualEncoder(), run_data(), tiny_config(), folder, progress).fit()
    more = tiny_config(data=DataConfig(batch_size=8, workers=2))

    second = Trainer(TinyDualEncoder(), run_data(), more, folder).fit(resume=True)

    expected, found = read_checkpoint(whole.last).weights, read_checkpoint(second.last).weights
    assert all(torch.equal(value, found[name]) for name, value in expected.items())


def test_resuming_a_finished_run_changes_nothing(tmp_path: Path) -> None:
    """There are no steps left, and the result is the same."""
    first = Trainer(TinyDualEncoder(), run_data(), tiny_config(), tmp_path).fit()

    assert Trainer(TinyDualEncoder(), run_data(), tiny_config(), tmp_path).fit(resume=True) == first


def test_the_handlers_of_signals_are_put_back(tmp_path: Path) -> None:
    """After a run Ctrl-C means what it meant before."""
    before = signal.getsignal(signal.SIGINT)

    Trainer(TinyDualEncoder(), run_data(), tiny_config(epochs=1), tmp_path).fit()

    assert signal.getsignal(signal.SIGINT) is before


def test_a_folder_with_a_run_is_not_overwritten(tmp_path: Path) -> None:
    """The message names both ways out."""
    Trainer(TinyDualEncoder(), run_data(), tiny_config(epochs=1), tmp_path).fit()

    with pytest.raises(ConflictError, match="--resume or choose another --out"):
        Trainer(TinyDualEncoder(), run_data(), tiny_config(epochs=1), tmp_path).fit()


def test_resume_without_a_checkpoint_is_refused(tmp_path: Path) -> None:
    """There is nothing to go on from."""
    with pytest.raises(TrainingError, match="no checkpoint"):
        Trainer(TinyDualEncoder(), run_data(), tiny_config(), tmp_path).fit(resume=True)


def test_resume_refuses_another_architecture(tmp_path: Path) -> None:
    """The message names the tensor and both shapes."""
    Trainer(TinyDualEncoder(), run_data(), tiny_config(), tmp_path).fit()
    other = TinyDualEncoder(dim=5)

    with pytest.raises(ConflictError, match=r"another architecture: image.bias has shape \(4,\)"):
        Trainer(other, run_data(), tiny_config(), tmp_path).fit(resume=True)


def test_resume_refuses_other_data(tmp_path: Path) -> None:
    """The fingerprint of the pairs is part of the checkpoint."""
    Trainer(TinyDualEncoder(), run_data(24), tiny_config(), tmp_path).fit()

    with pytest.raises(ConflictError, match="other data"):
        Trainer(TinyDualEncoder(), run_data(25), tiny_config(), tmp_path).fit(resume=True)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"schedule": ScheduleConfig(epochs=4)}, "schedule.epochs = 3, now it is 4"),
        ({"run": RunConfig(device="cpu", seed=1)}, "run.seed = 0, now it is 1"),
    ],
)
def test_resume_refuses_other_settings(
    tmp_path: Path, changed: dict[str, object], message: str
) -> None:
    """Trap 15: a change that would move the updates is named and refused."""
    Trainer(TinyDualEncoder(), run_data(), tiny_config(), tmp_path).fit()
    config: TrainConfig = replace(tiny_config(), **changed)

    with pytest.raises(ConflictError, match=message):
        Trainer(TinyDualEncoder(), run_data(), config, tmp_path).fit(resume=True)


def test_a_non_finite_loss_stops_before_the_update(tmp_path: Path) -> None:
    """The error names step and samples; no weight became NaN."""
    data = tensor_data(8)
    images = data.images.clone()
    images[3, 0] = math.nan
    bad = RunData(TensorData(images, data.texts, ids=[f"pair-{n}" for n in range(8)]))
    model = TinyDualEncoder()
    model.norm = torch.nn.Identity()  # type: ignore[assignment]  # it would spread the NaN
    before = model.image.weight.detach().clone()

    with pytest.raises(NonFiniteLossError, match=r"loss of step 0 is nan.*pair-3"):
        Trainer(model, bad, tiny_config(), tmp_path).fit()

    assert torch.equal(model.image.weight.detach(), before)


def test_float16_skips_a_step_that_overflows_and_goes_on(tmp_path: Path) -> None:
    """Trap 27: the first scale is too high for float16, so it is halved until a step fits."""
    config = with_run(tiny_config(epochs=20), precision="float16")

    result = Trainer(TinyDualEncoder(), run_data(40), config, tmp_path).fit()

    scaler = read_checkpoint(result.last).state.grad_scaler
    assert scaler["scale"] > 0
    assert read_checkpoint(result.last).weights["image.weight"].dtype == torch.float32
    assert result.metrics["text_to_image_hit@5"] > 0.7


def test_resume_refuses_another_chunk_size(tmp_path: Path) -> None:
    """Chunks decide what dropout draws, so another size is another run."""
    model = still_model()
    Trainer(model, run_data(), tiny_config(), tmp_path).fit()
    config = with_run(tiny_config(), chunk_size=4)

    with pytest.raises(ConflictError, match=r"run\.chunk_size = 0, now it is 4"):
        Trainer(model, run_data(), config, tmp_path).fit(resume=True)


def test_a_batch_that_the_processes_cannot_share_is_refused(tmp_path: Path) -> None:
    """The message names a batch size that fits."""
    with pytest.raises(ConfigError, match=r"batch_size = 8 cannot be shared by 3.*multiple of 3"):
        Trainer(still_model(), run_data(), tiny_config(), tmp_path, world=World(rank=0, size=3))


def test_a_model_without_the_contract_is_refused(tmp_path: Path) -> None:
    """The message names what is missing."""
    with pytest.raises(TrainingError, match="has no method encode_image"):
        Trainer(torch.nn.Linear(2, 2), run_data(), tiny_config(), tmp_path)


def test_a_temperature_of_another_kind_is_refused(tmp_path: Path) -> None:
    """It must be a float32 parameter of zero axes."""
    model = TinyDualEncoder()
    model.logit_scale = torch.nn.Parameter(torch.ones(1))

    with pytest.raises(TrainingError, match="zero axes"):
        Trainer(model, run_data(), tiny_config(), tmp_path)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_cuda_without_a_device_is_refused(tmp_path: Path) -> None:
    """Asking for what is not there is an error, not a silent CPU run."""
    config = replace(tiny_config(), run=RunConfig(device="cuda"))

    with pytest.raises(TrainingError, match="no CUDA device"):
        Trainer(TinyDualEncoder(), run_data(), config, tmp_path)


def test_bfloat16_trains_with_a_float32_loss(tmp_path: Path) -> None:
    """The towers may run in bfloat16; weights stay float32 and the run learns."""
    config = replace(tiny_config(epochs=20), run=RunConfig(device="cpu", precision="bfloat16"))

    result = Trainer(TinyDualEncoder(), run_data(40), config, tmp_path).fit()

    assert read_checkpoint(result.last).weights["image.weight"].dtype == torch.float32
    assert result.metrics["text_to_image_hit@5"] > 0.7
