"""Peers are installed once, from pinned files, and a failure is a reason and no silence."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from benchmarks import environments
from benchmarks.environments import PEERS, REQUIREMENTS, PeerMissingError, find, install


def pretend(monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    """Have an installation run one harmless command."""
    monkeypatch.setattr(environments, "steps", lambda place, requirements: [list(words)])


@pytest.mark.parametrize("name", PEERS)
def test_every_package_of_a_peer_is_pinned(name: str) -> None:
    """The same versions tomorrow, and no registry by name."""
    text = (REQUIREMENTS / f"{name}.txt").read_text("utf-8")
    lines = [row for row in text.splitlines() if row and not row.startswith("#")]

    assert lines
    assert [row for row in lines if not re.fullmatch(r"[\w.\-]+==[\w.+]+", row)] == []
    assert "://" not in text


def test_what_is_installed_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second call would fail if it installed anything."""
    pretend(monkeypatch, "mkdir", "-p", str(tmp_path / "peers" / "infinity" / "bin"))
    first = install("infinity", folder=tmp_path)
    pretend(monkeypatch, "false")

    assert install("infinity", folder=tmp_path) == first
    assert find("infinity", folder=tmp_path) == first
    assert first.program("x") == tmp_path / "peers" / "infinity" / "bin" / "x"


def test_other_requirements_are_another_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pin that changed is installed."""
    place = tmp_path / "peers" / "infinity"
    pretend(monkeypatch, "mkdir", "-p", str(place))
    install("infinity", folder=tmp_path)
    (place / "requirements.sha256").write_text("of older pins", encoding="utf-8")

    with pytest.raises(PeerMissingError):
        find("infinity", folder=tmp_path)


def test_a_failure_is_told_then_and_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the installer said is the reason, also for the part that looks for the peer."""
    pretend(monkeypatch, "sh", "-c", "echo no such version >&2; exit 3")
    with pytest.raises(PeerMissingError, match="no such version"):
        install("infinity", folder=tmp_path)

    with pytest.raises(PeerMissingError, match="no such version"):
        find("infinity", folder=tmp_path)


def test_an_installation_that_takes_too_long_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Children of the installer are ended with it: nothing keeps the pipe open."""
    pretend(monkeypatch, "sh", "-c", "sleep 300 & sleep 300")

    with pytest.raises(PeerMissingError, match="more than 0 s"):
        install("infinity", folder=tmp_path, patience_s=0.2)


def test_a_peer_that_nobody_installed_names_the_command(tmp_path: Path) -> None:
    """The remedy."""
    with pytest.raises(PeerMissingError, match=r"benchmarks\.environments evaluation"):
        find("evaluation", folder=tmp_path)


def test_pip_is_the_way_without_uv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but Python is needed; every package is named, so none is resolved."""
    monkeypatch.setattr(environments, "find_uv", lambda: None)
    made, filled = environments.steps(tmp_path, Path("pins.txt"))

    assert made[1:3] == ["-m", "venv"]
    assert filled[1:4] == ["-m", "pip", "install"]
    assert filled[-3:] == ["--no-deps", "-r", "pins.txt"]


def test_a_reason_is_one_line() -> None:
    """The last words of an installer may be many."""
    error = subprocess.CalledProcessError(1, ["pip"], stderr="one\n\n  two  \n")

    assert environments.failure(error) == "one two"
