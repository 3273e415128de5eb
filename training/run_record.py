"""What a run was: resolved settings, versions, commit, data and sessions, beside its output.

A session is one process from its start to its end; a run that was resumed has several.
"""

from __future__ import annotations

import platform
import shutil
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

import torch

from core.artifacts import read_json, write_json
from core.types import JSONObject, JSONValue
from training.config import TrainConfig, to_json
from training.machine import describe_machine, peak_memory_mb

CONFIG_NAME = "config.json"
RECORD_NAME = "run.json"
RunStatus = Literal["finished", "stopped_early", "interrupted", "failed"]
"""How a session ended; one that is killed stays ``running``."""

_PACKAGES = ("sightline", "torch", "open_clip_torch", "timm", "numpy", "pillow")


def write_run_record(folder: Path, config: TrainConfig, *, data: JSONObject) -> None:
    """Write ``config.json`` (every resolved setting) and ``run.json`` (where it came from).

    ``data`` describes the data sets: path, number of pairs, fingerprint.
    """
    write_json(folder / CONFIG_NAME, to_json(config))
    record: JSONObject = {
        "started_at": _now(),
        "seed": config.run.seed,
        "data": data,
        **_software(),
        "sessions": [],
    }
    write_json(folder / RECORD_NAME, record)


def start_session(
    folder: Path, config: TrainConfig, *, device: torch.device, world_size: int, step: int
) -> None:
    """Add a session to ``run.json``: machine, precision, first step, versions and commit.

    Raises:
        ArtifactError: ``run.json`` is missing or damaged.
    """
    session: JSONObject = {
        "status": "running",
        "started_at": _now(),
        "first_step": step,
        "processes": world_size,
        "precision": config.run.precision,
        **_software(),
        "machine": describe_machine(device),
    }
    record = read_json(folder / RECORD_NAME)
    record["sessions"] = [*_sessions(record), session]
    write_json(folder / RECORD_NAME, record)


def end_session(folder: Path, *, status: RunStatus, device: torch.device, step: int) -> None:
    """Complete the newest session: how it ended, after which step, and its peak memory.

    Raises:
        ArtifactError: ``run.json`` is missing or damaged.
    """
    record = read_json(folder / RECORD_NAME)
    *earlier, newest = _sessions(record) or [{}]
    assert isinstance(newest, dict), "start_session wrote it"
    ending: JSONObject = {
        "status": status,
        "ended_at": _now(),
        "last_step": step,
        "peak_memory_mb": peak_memory_mb(device),
    }
    record["sessions"] = [*earlier, {**newest, **ending}]
    write_json(folder / RECORD_NAME, record)


def git_commit(folder: Path) -> str | None:
    """Return the commit that is checked out at ``folder``; ``None`` outside a repository."""
    git = shutil.which("git")
    if git is None:
        return None
    done = subprocess.run(  # noqa: S603 - a fixed command, found on the path
        [git, "-C", str(folder), "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or None


def _sessions(record: JSONObject) -> list[JSONValue]:
    sessions = record.get("sessions", [])
    return sessions if isinstance(sessions, list) else []


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _software() -> JSONObject:
    return {
        "versions": {"python": platform.python_version(), **_versions()},
        "git_commit": git_commit(Path(__file__).parent),
    }


def _versions() -> JSONObject:
    found: JSONObject = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found
