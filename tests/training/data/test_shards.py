"""Rules of training.data.shards: parts on disk are found, whole, or computed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from core.errors import IntegrityError, TrainingError
from training.data.shards import ShardFolder


class Work:
    """Makes an array and counts how often."""

    def __init__(self) -> None:
        """Start at none."""
        self.done = 0

    def __call__(self) -> Mapping[str, NDArray[np.float32]]:
        """Return an array."""
        self.done += 1
        return {"rows": np.arange(6, dtype=np.float32).reshape(3, 2)}


def test_what_is_there_is_not_computed_again(tmp_path: Path) -> None:
    """The second time the same arrays come from the disk."""
    folder, work = ShardFolder(tmp_path, "test"), Work()

    first = folder.open({"weights": "a"}, work)
    second = folder.open({"weights": "a"}, work)

    assert work.done == 1
    assert isinstance(second["rows"], np.memmap)
    assert np.array_equal(first["rows"], [[0, 1], [2, 3], [4, 5]])
    assert np.array_equal(first["rows"], second["rows"])


def test_another_key_is_another_part(tmp_path: Path) -> None:
    """Whatever differs in the key is computed."""
    folder, work = ShardFolder(tmp_path, "test"), Work()

    for key in ({"a": 1}, {"a": 2}, {"b": 1}, {"a": 1, "b": 1}):
        folder.open(key, work)

    assert work.done == 4


def test_a_damaged_part_is_an_error_that_names_the_remedy(tmp_path: Path) -> None:
    """A flipped byte is never trained on."""
    folder, work = ShardFolder(tmp_path, "test"), Work()
    folder.open({"a": 1}, work)
    file = folder.path({"a": 1}) / "rows.npy"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)

    with pytest.raises(IntegrityError, match="computed again: delete"):
        folder.open({"a": 1}, work)


def test_work_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """A broken-off part is computed from its start the next time."""
    folder = ShardFolder(tmp_path, "test")

    def fail() -> Mapping[str, NDArray[np.float32]]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        folder.open({"a": 1}, fail)

    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    """The message says what could not be written."""
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(TrainingError, match="cannot write"):
        ShardFolder(tmp_path / "file" / "inside", "test").open({"a": 1}, Work())


def test_a_part_that_another_run_wrote_meanwhile_is_taken(tmp_path: Path) -> None:
    """Two runs may fill one folder at the same time."""
    folder, work = ShardFolder(tmp_path, "test"), Work()

    def slow() -> Mapping[str, NDArray[np.float32]]:
        folder.open({"a": 1}, work)
        return {"rows": np.zeros(1, np.float32)}

    assert folder.open({"a": 1}, slow)["rows"].shape == (3, 2)
