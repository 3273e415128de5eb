"""Rules of ``sightline evaluate compare`` and ``gate``: exit codes and output, with real files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from cli.evaluate_compare import command as compare
from cli.evaluate_gate import command as gate
from core.errors import ArtifactError, UsageError
from tests.evaluation.report_folders import write_queries

ROOT = Path(__file__).parent.parent.parent


def report(folder: Path, hits: int, **digests: str) -> Path:
    """Write a report with so many hits among 100 queries."""
    values = (np.arange(100) < hits).astype(float).tolist()
    return write_queries(
        folder, {"hit@1": values}, further={"latency_p95_ms": 12.0}, digests=digests
    )


def rules(folder: Path, text: str) -> Path:
    """Write a file of rules."""
    (folder / "gate.toml").write_text(text)
    return folder / "gate.toml"


def run(*arguments: str | Path) -> Result:
    """Run the gate; errors that ``cli.main`` turns into exit codes are raised."""
    return CliRunner().invoke(gate, [str(one) for one in arguments], catch_exceptions=False)


def test_the_gate_passes_with_exit_code_0(tmp_path: Path) -> None:
    """Every rule is kept; the table says so on stdout."""
    old, new = report(tmp_path / "old", 50), report(tmp_path / "new", 51)
    file = rules(
        tmp_path, "[floor]\n'hit@1' = 0.5\n[no_drop]\n'hit@1' = 0\n[ceiling]\nlatency_p95_ms = 20"
    )

    done = run(new, "--rules", file, "--baseline", old)

    assert done.exit_code == 0
    assert done.stdout.count("ok ") == 3
    assert "FAIL" not in done.stdout


def test_the_gate_fails_with_exit_code_1(tmp_path: Path) -> None:
    """One rule of two is broken; the table names it."""
    file = rules(tmp_path, "[floor]\n'hit@1' = 0.6\n[ceiling]\nlatency_p95_ms = 20")

    done = run(report(tmp_path / "new", 50), "--rules", file)

    assert done.exit_code == 1
    assert "FAIL  floor    hit@1" in done.stdout
    assert "not passed" in done.stderr


def test_reports_that_are_not_comparable_are_exit_code_3(tmp_path: Path) -> None:
    """The data differ, so no rule is checked."""
    old = report(tmp_path / "old", 50, data="other")
    file = rules(tmp_path, "[floor]\n'hit@1' = 0.1")

    done = run(report(tmp_path / "new", 50), "--rules", file, "--baseline", old)

    assert (done.exit_code, done.stdout) == (3, "")
    assert "data differ" in done.stderr


@pytest.mark.parametrize(
    ("text", "result", "message"),
    [
        ("[flor]", "new", "did you mean 'floor'"),
        ("[floor]\n'hit@2' = 1", "new", "did you mean 'hit@1'"),
        ("[no_drop]\n'hit@1' = 0", "new", "--baseline"),
        ("[floor]\n'hit@1' = 0.1", "missing", "does not exist"),
    ],
)
def test_what_cannot_be_checked_is_a_usage_error(
    tmp_path: Path, text: str, result: str, message: str
) -> None:
    """Exit code 2, so that CI does not take a typing error for a worse model."""
    report(tmp_path / "new", 50)

    with pytest.raises(UsageError, match=message):
        run(tmp_path / result, "--rules", rules(tmp_path, text))


def test_the_gate_as_json(tmp_path: Path) -> None:
    """The same verdict for machines, and the same exit code."""
    file = rules(tmp_path, "[floor]\n'hit@1' = 0.6")

    done = run(report(tmp_path / "new", 50), "--rules", file, "--json")

    assert done.exit_code == 1
    content = json.loads(done.stdout)
    assert content["passed"] is False
    assert content["checks"][0]["value"] == 0.5


def test_compare_prints_a_row_per_metric(tmp_path: Path) -> None:
    """Values, difference, wins and losses; what it rests on goes to stderr."""
    old, new = report(tmp_path / "old", 50), report(tmp_path / "new", 60)

    done = CliRunner().invoke(compare, [str(old), str(new)], catch_exceptions=False)

    assert done.exit_code == 0
    row = next(line for line in done.stdout.splitlines() if line.startswith("hit@1"))
    assert row.split()[1:4] == ["0.5000", "0.6000", "+0.1000"]
    assert "10/90/0" in row
    assert "100 queries in 100 clusters" in done.stderr
    assert "latency_p95_ms" in done.stderr


def test_compare_as_json_is_the_same_bytes_each_time(tmp_path: Path) -> None:
    """Seeds are fixed."""
    old, new = report(tmp_path / "old", 50), report(tmp_path / "new", 60)
    arguments = [str(old), str(new), "--metrics", "hit@1", "--json"]

    first, second = (CliRunner().invoke(compare, arguments).stdout for _ in range(2))

    assert first == second
    assert json.loads(first)["metrics"]["hit@1"]["p_mcnemar"] == pytest.approx(2 / 2**10)


def test_compare_refuses_other_data_unless_told(tmp_path: Path) -> None:
    """Exit code 3; with the option it compares and says what differs."""
    old = report(tmp_path / "old", 50, data="other")
    arguments = [str(old), str(report(tmp_path / "new", 50))]

    refused = CliRunner().invoke(compare, arguments, catch_exceptions=False)
    allowed = CliRunner().invoke(compare, [*arguments, "--different-data"], catch_exceptions=False)

    assert (refused.exit_code, allowed.exit_code) == (3, 0)
    assert "--different-data" in refused.stderr
    assert "these differ: data" in allowed.stderr


def test_compare_of_what_is_no_report_is_an_error(tmp_path: Path) -> None:
    """The message says what is missing."""
    with pytest.raises(ArtifactError, match="does not exist"):
        CliRunner().invoke(
            compare, [str(tmp_path / "a"), str(tmp_path / "b")], catch_exceptions=False
        )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("floor", "data", "code"), [(0.5, "d1", 0), (0.6, "d1", 1), ("high", "d1", 2), (0.5, "x", 3)]
)
def test_the_exit_codes_of_the_real_command(
    tmp_path: Path, floor: float | str, data: str, code: int
) -> None:
    """0 pass, 1 fail, 2 usage, 3 not comparable, as a shell sees them."""
    value = f"'{floor}'" if isinstance(floor, str) else floor
    file = rules(tmp_path, f"[floor]\n'hit@1' = {value}")
    paths = [report(tmp_path / "new", 50), report(tmp_path / "old", 50, data=data)]

    words = [sys.executable, "-m", "cli.main", "evaluate", "gate"]

    done = subprocess.run(
        [*words, str(paths[0]), "--rules", str(file), "--baseline", str(paths[1])],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == code, done.stderr
