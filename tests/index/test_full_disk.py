"""A disk that really is full: a small file system of its own, and a limit on the size of files."""

from __future__ import annotations

import contextlib
import resource
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from core.errors import StorageError, StorageFullError
from tests.index.workload import Model, check_whole, execute, open_small

_MIB = 1 << 20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Yield a file system of 4 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = shutil.which("mount")
    made = mount and subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)],
        check=False,
        capture_output=True,
    )
    if not made or made.returncode:
        pytest.skip("only root may mount a file system here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let the kernel refuse to make any file of this process longer."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def put(start: int, count: int) -> dict[str, list[list[object]]]:
    """Return a write of items."""
    return {"put": [[f"{number:05}", number] for number in range(start, start + count)]}


def test_a_full_disk_serves_refuses_and_recovers(small_disk: Path) -> None:
    """What does not fit is refused, reads and restarts go on, and space that is freed is used."""
    ballast, folder = small_disk / "ballast", small_disk / "gallery"
    ballast.write_bytes(bytes(_MIB))
    model: Model = {}
    with open_small(folder) as collection:
        with contextlib.suppress(StorageFullError):
            for number in range(900):
                execute(collection, put(number, 1))
                model[f"{number:05}"] = number
        assert 0 < len(model) < 900
        check_whole(collection, model, seed=0)
        with pytest.raises(StorageFullError, match="nothing of the request was stored"):
            execute(collection, put(9000, 400))
        with pytest.raises(StorageFullError):
            collection.snapshot()
        check_whole(collection, model, seed=1)
        ballast.unlink()
        execute(collection, put(9000, 4))
        model |= {f"{number:05}": number for number in range(9000, 9004)}
        check_whole(collection, model, seed=2)
    with open_small(folder) as collection:
        check_whole(collection, model, seed=3)


@pytest.mark.parametrize("spare", [0, 4096, 16_384, 65_536])
def test_a_start_on_a_full_disk_serves_or_says_why(small_disk: Path, spare: int) -> None:
    """With hardly a byte left the gallery opens, or the error names the disk; nothing is harmed."""
    folder, model = small_disk / "gallery", {f"{number:05}": number for number in range(50)}
    with open_small(folder) as collection:
        execute(collection, put(0, 50))
    (folder / "writer.lock").unlink()
    (small_disk / "ballast").write_bytes(bytes(shutil.disk_usage(small_disk).free - spare))
    if spare < 65_536:
        with pytest.raises(StorageFullError, match="free some space"):
            open_small(folder)
    else:
        with open_small(folder) as collection:
            check_whole(collection, model, seed=0)

    (small_disk / "ballast").unlink()
    with open_small(folder) as collection:
        check_whole(collection, model, seed=1)


@pytest.mark.slow
def test_a_snapshot_that_does_not_fit_is_no_snapshot(tmp_path: Path) -> None:
    """However many of its bytes fit: an error, no file left over, and the older one serves."""
    model = {f"{number:05}": number for number in range(300)}
    with open_small(tmp_path) as collection:
        execute(collection, put(0, 290))
        collection.snapshot()
        before = sorted((tmp_path / "snapshots").iterdir())
        execute(collection, put(290, 10))
        for size in range(0, before[0].stat().st_size, 1500):
            with largest_file(size), pytest.raises(StorageError):
                collection.snapshot()
            assert sorted((tmp_path / "snapshots").iterdir()) == before
        check_whole(collection, model, seed=0)
    with open_small(tmp_path) as collection:
        check_whole(collection, model, seed=0)
        collection.snapshot()
