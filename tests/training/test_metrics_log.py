"""Rules of the log of a run."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from core.errors import ConfigError
from training.logs.sink import LoggerName
from training.metrics_log import MetricsLog


def test_every_line_goes_to_all_sinks(tmp_path: Path) -> None:
    """JSON lines and TensorBoard are always written."""
    log = MetricsLog(tmp_path)
    log.write("train", step=1, values={"loss": 2.5})
    log.close()

    assert json.loads((tmp_path / "metrics.jsonl").read_text()) == {
        "kind": "train",
        "step": 1,
        "loss": 2.5,
    }
    assert len(list((tmp_path / "tensorboard").iterdir())) == 1
    assert not (tmp_path / "tracking.json").exists()


def test_lines_after_the_checkpoint_are_dropped(tmp_path: Path) -> None:
    """A killed run leaves later lines; a resumed one writes them again."""
    (tmp_path / "metrics.jsonl").write_text('{"step": 1}\n{"step": 2}\n{"step": 3}\n')

    with MetricsLog(tmp_path, first_step=2) as log:
        log.write("train", step=3, values={})

    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2, 3]


@pytest.mark.parametrize("service", ["wandb", "mlflow"])
def test_a_service_that_is_not_installed_is_refused(
    service: LoggerName, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The message names the extra; nothing is silently left out."""
    monkeypatch.setitem(sys.modules, service, None)

    with pytest.raises(ConfigError, match=rf"names {service}.*sightline\[{service}\]"):
        MetricsLog(tmp_path, loggers=(service,))
