"""The peers, each installed once into an environment of its own under ``data/bench/peers``.

    python -m benchmarks.environments            # install what is missing
    python -m benchmarks.environments infinity   # one of them

The pinned versions are the files of ``benchmarks/peers``. An environment that holds what its file
asks for is left alone. What cannot be installed is remembered with the reason, and told.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "data" / "bench"
REQUIREMENTS = ROOT / "benchmarks" / "peers"
PEERS = ("clip-retrieval", "infinity", "evaluation")
PATIENCE_S = 1200
"""For one peer: torch alone is some gigabytes."""
_STAMP, _FAILURE = "requirements.sha256", "failed.txt"


class PeerMissingError(Exception):
    """A peer is not installed; the message is the reason."""


@dataclass(frozen=True, slots=True)
class Environment:
    """A peer that can be run."""

    name: str
    folder: Path

    def program(self, name: str) -> Path:
        """Return one of its programs."""
        return self.folder / "bin" / name


def main() -> None:
    """Install and print one line a peer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=PEERS, metavar="PEER")
    for name in parser.parse_args().names:
        try:
            print(f"{name}: {install(name).folder}", flush=True)
        except PeerMissingError as error:
            print(f"{name}: not installed: {error}", flush=True)


def install(name: str, *, folder: Path = FOLDER, patience_s: float = PATIENCE_S) -> Environment:
    """Return the environment of a peer, and make it first if it is not there.

    Raises:
        PeerMissingError: it cannot be installed.
    """
    place, wanted = folder / "peers" / name, digest(name)
    if is_installed(place, wanted):
        return Environment(name, place)
    print(f"{name}: installing into {place} ...", flush=True)
    shutil.rmtree(place, ignore_errors=True)
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        for words in steps(place, REQUIREMENTS / f"{name}.txt"):
            _run(words, patience_s)
    except (OSError, subprocess.SubprocessError) as error:
        reason = failure(error)
        place.mkdir(parents=True, exist_ok=True)
        (place / _FAILURE).write_text(reason, encoding="utf-8")
        raise PeerMissingError(reason) from error
    (place / _STAMP).write_text(wanted, encoding="utf-8")
    return Environment(name, place)


def find(name: str, *, folder: Path = FOLDER) -> Environment:
    """Return an environment that is there already.

    Raises:
        PeerMissingError: it is not, with the reason if one is known.
    """
    place = folder / "peers" / name
    if is_installed(place, digest(name)):
        return Environment(name, place)
    reason = place / _FAILURE
    if reason.is_file():
        raise PeerMissingError(reason.read_text(encoding="utf-8"))
    raise PeerMissingError(f"run python -m benchmarks.environments {name}")


def is_installed(place: Path, wanted: str) -> bool:
    """Return whether the environment was made from these very requirements."""
    stamp = place / _STAMP
    return stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted


def digest(name: str) -> str:
    """Return the digest of a peer's requirements."""
    return hashlib.sha256((REQUIREMENTS / f"{name}.txt").read_bytes()).hexdigest()


def steps(place: Path, requirements: Path) -> list[list[str]]:
    """Return the commands that make an environment: with uv where there is one, else with pip.

    The files name every package, so nothing is resolved, and a peer's outdated pins of others
    cannot make it fail.
    """
    python = str(place / "bin" / "python")
    uv = find_uv()
    if uv is not None:
        base = str(Path(sys.executable).resolve())
        wanted = ["--no-deps", "-r", str(requirements)]
        return [
            [uv, "venv", "--quiet", "--python", base, str(place)],
            [uv, "pip", "install", "--quiet", "--python", python, *wanted],
        ]
    pip = ["-m", "pip", "install", "--disable-pip-version-check", "--quiet"]
    return [
        [sys.executable, "-m", "venv", str(place)],
        [python, *pip, "--no-deps", "-r", str(requirements)],
    ]


def find_uv() -> str | None:
    """Return uv of this environment or of the system."""
    beside = Path(sys.executable).parent / "uv"
    return str(beside) if beside.is_file() else shutil.which("uv")


def failure(error: Exception) -> str:
    """Return the reason in one line."""
    if isinstance(error, subprocess.TimeoutExpired):
        return f"the installation took more than {error.timeout:.0f} s"
    said = ""
    if isinstance(error, subprocess.CalledProcessError):
        said = str(error.stderr or "").strip()
    lines = [text.strip() for text in (said or str(error)).splitlines() if text.strip()]
    return " ".join(lines)[:300] or type(error).__name__


def _run(words: Sequence[str], patience_s: float) -> None:
    environment = {**os.environ, "UV_HTTP_TIMEOUT": "300", "PIP_NO_INPUT": "1"}
    with subprocess.Popen(
        words, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            _, said = process.communicate(timeout=patience_s)
        except BaseException:
            # The installer may have children of its own.
            os.killpg(process.pid, signal.SIGKILL)
            raise
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, list(words), stderr=said)


if __name__ == "__main__":
    main()
