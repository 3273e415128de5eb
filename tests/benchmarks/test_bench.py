"""The driver: rows as they come, a limit for each part, and what fails is a line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks import bench, environments
from benchmarks.bench_part import Plan, append_row, read_rows
from benchmarks.bench_rows import Row

ROW = Row("p", "measured", ours=(2.0,), beside="peer", theirs=(1.0,))


def parts_in(folder: Path, monkeypatch: pytest.MonkeyPatch, **scripts: str) -> None:
    """Have parts of these names run these scripts, from a folder of their own."""
    package = folder / "benchmarks"
    package.mkdir()
    for name, script in scripts.items():
        (package / f"{name}.py").write_text(script, encoding="utf-8")
    monkeypatch.setattr(environments, "ROOT", folder)


def writes_a_row(then: str = "") -> str:
    """Return a part that measures one row, and then does something."""
    text = json.dumps({"part": "p", "what": "measured", "ours": [2.0], "theirs": [1.0]})
    return f"""
import sys, time
path = sys.argv[sys.argv.index("--rows") + 1]
with open(path, "a") as file:
    file.write({text!r} + "\\n")
{then}
"""


def part(name: str, limit_s: int = 120) -> bench.Part:
    """Return a part with a limit."""
    return bench.Part(name, f"about {name}", limit_s, limit_s)


def test_a_part_that_fails_keeps_its_rows_and_the_next_one_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last line that it said is the reason."""
    broken = writes_a_row("raise SystemExit('no more memory')")
    parts_in(tmp_path, monkeypatch, broken=broken, good=writes_a_row())
    rows: list[Row] = []
    bench.run([part("broken"), part("good")], Plan(folder=tmp_path / "kept"), rows)

    assert [row.reason for row in rows] == ["", "failed: no more memory", ""]
    assert rows[1].what == "about broken: the rest"
    kept = json.loads((tmp_path / "kept" / "results.json").read_text("utf-8"))
    assert len(kept["rows"]) == 3


def test_a_part_that_takes_too_long_is_ended_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would wait for hours."""
    parts_in(tmp_path, monkeypatch, slow=writes_a_row("time.sleep(36000)"))
    rows: list[Row] = []
    bench.run([part("slow", limit_s=1)], Plan(folder=tmp_path / "kept"), rows)

    assert rows[-1].reason == "failed: took more than 1 s"


def test_a_peer_that_cannot_be_installed_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is said at once; the part that wants it says so again."""
    parts_in(tmp_path, monkeypatch, good=writes_a_row())
    monkeypatch.setattr(environments, "steps", lambda place, requirements: [["false"]])
    rows: list[Row] = []
    wanting = bench.Part("good", "about", 120, 120, peers=("infinity",))
    bench.run([wanting], Plan(folder=tmp_path / "kept"), rows)

    assert len(rows) == 1
    assert "peer infinity: not installed" in capsys.readouterr().out


@pytest.mark.slow
def test_being_interrupted_ends_the_part_and_keeps_the_rows(tmp_path: Path) -> None:
    """Ctrl-C and kill print the table of what there is and leave no process behind."""
    script = f"""
import sys
from pathlib import Path
from benchmarks import bench, environments
from benchmarks.bench_part import Plan
environments.ROOT = Path({str(tmp_path)!r})
bench.PARTS = (bench.Part("slow", "about slow", 3600, 3600),)
bench.Plan = lambda **words: Plan(folder=Path({str(tmp_path)!r}) / "kept", **words)
sys.argv = ["bench", "--no-results"]
bench.main()
"""
    package = tmp_path / "benchmarks"
    package.mkdir()
    waits = "import os; open('pid.tmp', 'w').write(str(os.getpid()))\n"
    waits += "os.rename('pid.tmp', 'pid.txt'); time.sleep(36000)"
    (package / "slow.py").write_text(writes_a_row(waits), encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=Path.cwd()
    )
    try:
        wait_for(tmp_path / "pid.txt")
        wait_for(tmp_path / "kept" / "results.json")
        process.send_signal(signal.SIGTERM)
        printed, _ = process.communicate(timeout=300)
    finally:
        process.kill()
        process.wait()

    assert process.returncode == 130
    assert "| p | measured |" in printed.split("stopped")[1]
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid.txt").read_text("utf-8")), 0)


def test_rows_go_through_a_file_that_is_still_written_to(tmp_path: Path) -> None:
    """Half a line is a row that is not there yet."""
    path = tmp_path / "rows.jsonl"
    assert read_rows(path) == []
    append_row(path, ROW)
    with path.open("a", encoding="utf-8") as file:
        file.write('{"part": "p", "wh')

    assert read_rows(path) == [ROW]


def test_every_part_is_a_module_with_time_to_run() -> None:
    """The driver starts them by their names; a full run has more time than a quick one."""
    for one in bench.PARTS:
        assert (Path(bench.__file__).parent / f"{one.module}.py").is_file()
        assert 0 < one.limit_s(is_quick=True) < one.limit_s(is_quick=False)
        assert set(one.peers) <= set(environments.PEERS)


def wait_for(path: Path) -> None:
    """Wait until a file is there."""
    deadline = time.monotonic() + 300
    while not path.exists():
        assert time.monotonic() < deadline, path
        time.sleep(0.05)
