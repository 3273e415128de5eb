"""Rules of several processes: two gloo ranks do what one process does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.training import ranks
from tests.training.ranks import CASES, config_of, data_of, model_of
from tests.training.tiny import TinyDualEncoder
from training.checkpoint import list_checkpoints, read_checkpoint
from training.distributed import joined_world, sum_gradients
from training.trainer import Trainer
from training.world import World

REPOSITORY = Path(ranks.__file__).parents[2]

# In one worker, so that the processes are started once.
pytestmark = pytest.mark.xdist_group("distributed")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return the folders of the runs with one process and with two."""
    folder = tmp_path_factory.mktemp("ranks")
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    module = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    script = [str(Path(ranks.__file__)), str(folder / "two")]
    done = subprocess.run(
        [sys.executable, *module, *script],
        env=environment,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    for case in CASES:
        config = config_of(case, ranks=1)
        Trainer(model_of(case), data_of(case), config, folder / "one" / case).fit()
    return folder / "one", folder / "two"


@pytest.mark.slow
@pytest.mark.parametrize("case", ["plain", "chunks", "dropout", "sharded"])
def test_two_ranks_train_what_one_process_trains(runs: tuple[Path, Path], case: str) -> None:
    """Trap 7: after six steps weights, optimiser state and metrics agree with one process."""
    one, two = (read_checkpoint(list_checkpoints(run / case / "checkpoints")[-1]) for run in runs)

    assert two.weights.keys() == one.weights.keys()
    for name, value in one.weights.items():
        torch.testing.assert_close(two.weights[name], value, rtol=1e-5, atol=1e-6, msg=name)
    for name, value in one.optimiser.items():
        torch.testing.assert_close(two.optimiser[name], value, rtol=1e-4, atol=1e-6, msg=name)
    assert two.state.best_metrics == pytest.approx(one.state.best_metrics)


@pytest.mark.slow
def test_the_log_is_that_of_the_whole_batch(runs: tuple[Path, Path]) -> None:
    """The first rank writes the loss over all ranks, once a step."""
    one, two = (
        [json.loads(line) for line in (run / "plain" / "metrics.jsonl").read_text().splitlines()]
        for run in runs
    )

    assert [line["step"] for line in two] == [line["step"] for line in one]
    for ours, reference in zip(two, one, strict=True):
        if ours["kind"] == "train":
            assert ours["loss"] == pytest.approx(reference["loss"], rel=1e-5)
            assert ours["grad_norm"] == pytest.approx(reference["grad_norm"], rel=1e-4)


@pytest.mark.slow
def test_a_picture_lost_on_one_rank_stops_nobody(runs: tuple[Path, Path]) -> None:
    """Trap 8: all ranks train on as many pairs as the poorest has, and reach the end."""
    two = runs[1] / "uneven" / "checkpoints"

    assert read_checkpoint(list_checkpoints(two)[-1]).state.step == 6


@pytest.mark.slow
def test_one_process_goes_on_where_two_stopped(runs: tuple[Path, Path]) -> None:
    """A checkpoint of two ranks, even of split weights, is a checkpoint like any other."""
    for case in ("plain", "sharded"):
        folder = runs[1] / case

        result = Trainer(
            model_of(case), data_of(case), config_of(case, ranks=1), folder
        ).fit(resume=True)  # fmt: skip

        assert result.steps == 6


def test_without_torchrun_a_run_is_alone() -> None:
    """The world of one process gathers and adds up nothing."""
    rows = torch.ones(2, 3, requires_grad=True)
    model = TinyDualEncoder()

    with joined_world() as world:
        sum_gradients(model.parameters(), world)

    assert world == World(rank=0, size=1)
    assert world.gather_with_grad(rows) is rows
    assert model.logit_scale.grad is None


def test_a_rank_takes_its_part_of_a_batch() -> None:
    """Trap 8: equal parts in order; what cannot be shared is left out."""
    rows = list(range(11))

    parts = [rows[World(rank=rank, size=3).part(11)] for rank in range(3)]

    assert parts == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
