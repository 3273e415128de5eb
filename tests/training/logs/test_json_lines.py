"""Rules of the log as JSON lines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from training.logs.json_lines import JsonLines


def test_each_line_is_an_object(tmp_path: Path) -> None:
    """Kind, step and values, in order of writing, each readable at once."""
    log = JsonLines(tmp_path, first_step=0)
    log.write("train", step=1, values={"loss": 2.5})
    log.write("heldout", step=1, values={"mean_mrr": 0.5})

    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    log.close(failed=False)
    assert lines == [
        {"kind": "train", "step": 1, "loss": 2.5},
        {"kind": "heldout", "step": 1, "mean_mrr": 0.5},
    ]


def test_lines_after_the_checkpoint_are_dropped(tmp_path: Path) -> None:
    """A killed run leaves later lines and half a line; a resumed one writes them again."""
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1}\n{"step": 2}\n{"step": 3}\n{"st')

    JsonLines(tmp_path, first_step=2).close(failed=False)

    assert path.read_text() == '{"step": 1}\n{"step": 2}\n'


def test_not_a_number_is_refused(tmp_path: Path) -> None:
    """The log is strict JSON."""
    log = JsonLines(tmp_path, first_step=0)

    with pytest.raises(ValueError, match="not JSON compliant"):
        log.write("train", step=1, values={"loss": float("nan")})
    log.close(failed=True)
