"""What a run was: resolved settings, versions, commit and data, written beside its output."""

from __future__ import annotations

import platform
import shutil
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from core.artifacts import write_json
from core.types import JSONObject
from training.config import TrainConfig, to_json

CONFIG_NAME = "config.json"
RECORD_NAME = "run.json"
_PACKAGES = ("sightline", "torch", "open_clip_torch", "timm", "numpy", "pillow")


def write_run_record(folder: Path, config: TrainConfig, *, data: JSONObject) -> None:
    """Write ``config.json`` (every resolved setting) and ``run.json`` (where it came from).

    ``data`` describes the data sets: path, number of pairs, fingerprint.
    """
    write_json(folder / CONFIG_NAME, to_json(config))
    record: JSONObject = {
        "started_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": config.run.seed,
        "data": data,
        "versions": {"python": platform.python_version(), **_versions()},
        "git_commit": git_commit(Path(__file__).parent),
    }
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


def _versions() -> JSONObject:
    found: JSONObject = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found
