"""A tiny model folder, exported once and shared by the tests of this room."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from encoders.folder import ModelFolder, open_model_folder
from tests.fixtures_models import export_tiny_model


@pytest.fixture(scope="session")
def tiny_model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Export a tiny model with random weights."""
    return export_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def tiny_model(tiny_model_path: Path) -> ModelFolder:
    """Open the tiny model folder."""
    return open_model_folder(tiny_model_path)


@pytest.fixture
def copied_model(tiny_model_path: Path, tmp_path: Path) -> Path:
    """Copy the tiny model folder, for tests that damage it."""
    return Path(shutil.copytree(tiny_model_path, tmp_path / "copy"))
