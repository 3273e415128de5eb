"""Rules of the services that track runs, against the real packages, without a network."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
needs_wandb = pytest.mark.skipif(find_spec("wandb") is None, reason="wandb is not installed")
needs_mlflow = pytest.mark.skipif(find_spec("mlflow") is None, reason="mlflow is not installed")
TRAIN = """
import sys
from pathlib import Path
from training.logs.sink import TrackingConfig
from training.metrics_log import MetricsLog

folder, service, uri = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
tracking = TrackingConfig(project="rules", wandb_mode="offline", mlflow_uri=uri)
settings = {"data.batch_size": 8, "optimiser.learning_rate": 0.5}
for first in (0, 2):
    log = MetricsLog(
        folder, first_step=first, loggers=(service,), tracking=tracking, settings=settings
    )
    try:
        with log:
            log.write("train", step=first + 1, values={"loss": 1.5})
            log.write("heldout", step=first + 2, values={"mean_hit@1": 0.5})
            if service == "wandb":
                import wandb

                print(wandb.run.step)
            if first == 0:
                raise KeyboardInterrupt
    except KeyboardInterrupt:
        pass
"""
MLFLOW_REPORT = """
import json
import mlflow
client = mlflow.MlflowClient(tracking_uri=uri)
runs = client.search_runs([client.get_experiment_by_name("rules").experiment_id])
history = client.get_metric_history(runs[0].info.run_id, "heldout/mean_hit_at_1")
print(json.dumps({
    "runs": len(runs),
    "name": runs[0].info.run_name,
    "status": runs[0].info.status,
    "params": runs[0].data.params,
    "history": [[metric.step, metric.value] for metric in history],
}))
"""
NO_LOGIN = """
import sys
from pathlib import Path
from training.metrics_log import MetricsLog
MetricsLog(Path(sys.argv[1]), loggers=("wandb",))
"""
LOST_SERVER = """
import sys
from pathlib import Path
from training.logs.sink import TrackingConfig
from training.metrics_log import MetricsLog

folder, uri = Path(sys.argv[1]), sys.argv[2]
log = MetricsLog(folder, loggers=("mlflow",), tracking=TrackingConfig(mlflow_uri=uri))
for run in (folder.parent / "store").glob("*/*/meta.yaml"):
    run.unlink()
with log:
    log.write("train", step=1, values={"loss": 1.5})
    log.write("train", step=2, values={"loss": 1.25})
"""


def python(script: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a script in a process of its own, where warnings are errors."""
    environment = os.environ | {
        "MLFLOW_ALLOW_FILE_STORE": "true",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "WANDB_MODE": "offline",
        "WANDB_ERROR_REPORTING": "false",
        **variables,
    }
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", script, *arguments],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@needs_wandb
@pytest.mark.slow
def test_a_resumed_run_goes_on_in_the_same_run_of_wandb(tmp_path: Path) -> None:
    """Offline, both halves are written under one id at their own steps, so they can be joined."""
    folder = tmp_path / "run"
    folder.mkdir()

    done = python(TRAIN, str(folder), "wandb", "")

    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["2", "4"]
    run_id = json.loads((folder / "tracking.json").read_text())["wandb"]
    written = list((folder / "wandb").glob("offline-run-*/run-*.wandb"))
    assert {path.name for path in written} == {f"run-{run_id}.wandb"}
    content = b"".join(path.read_bytes() for path in written)
    for expected in (b"train/loss", b"heldout/mean_hit@1", b"data.batch_size"):
        assert expected in content


@needs_wandb
@pytest.mark.slow
def test_a_run_without_a_login_is_refused_before_training(tmp_path: Path) -> None:
    """The message says how to log in and how to do without."""
    done = python(
        NO_LOGIN, str(tmp_path), HOME=str(tmp_path), WANDB_API_KEY="", WANDB_MODE="online"
    )

    assert done.returncode == 1
    assert "TrainingError: W&B does not start a run" in done.stderr
    assert "run.tracking.wandb_mode=offline" in done.stderr


@needs_mlflow
@pytest.mark.slow
def test_a_resumed_run_goes_on_in_the_same_run_of_mlflow(tmp_path: Path) -> None:
    """One run holds both halves and the settings, and ends as finished."""
    folder, uri = tmp_path / "run", (tmp_path / "store").as_uri()
    folder.mkdir()

    done = python(TRAIN + MLFLOW_REPORT, str(folder), "mlflow", uri)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "runs": 1,
        "name": "run",
        "status": "FINISHED",
        "params": {"data.batch_size": "8", "optimiser.learning_rate": "0.5"},
        "history": [[2, 0.5], [4, 0.5]],
    }


@needs_mlflow
@pytest.mark.slow
def test_a_store_that_breaks_does_not_end_the_run(tmp_path: Path) -> None:
    """A warning says so once, and metrics.jsonl holds every line."""
    folder = tmp_path / "run"
    folder.mkdir()

    done = python(LOST_SERVER, str(folder), (tmp_path / "store").as_uri())

    assert done.returncode == 0, done.stderr
    assert done.stderr.count("MLflow refused a line") == 1
    assert len((folder / "metrics.jsonl").read_text().splitlines()) == 2


@needs_mlflow
@pytest.mark.slow
def test_an_address_that_cannot_be_is_refused_before_training(tmp_path: Path) -> None:
    """The message names the setting."""
    done = python(TRAIN, str(tmp_path), "mlflow", "nowhere://store")

    assert done.returncode == 1
    assert "TrainingError: MLflow at nowhere://store does not start a run" in done.stderr
    assert "run.tracking.mlflow_uri" in done.stderr
