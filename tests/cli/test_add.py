"""Rules of ``sightline add``, run as a user runs it, with the starter model."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.fakes import picture_bytes

ROOT = Path(__file__).parent.parent.parent


def sightline(*arguments: object, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    script = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from cli.main import main; main()"
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of two pictures and a corrupt one, one of them in a sub-folder."""
    folder = tmp_path_factory.mktemp("photos")
    (folder / "red.png").write_bytes(picture_bytes("red"))
    (folder / "trip").mkdir()
    (folder / "trip" / "blue.jpg").write_bytes(picture_bytes("blue", format="JPEG"))
    (folder / "corrupt.jpg").write_bytes(b"\xff\xd8\xff" + b"x" * 50)
    (folder / "notes.txt").write_text("not an image")
    return folder


@pytest.mark.slow
def test_a_folder_with_a_corrupt_file_is_added_and_the_file_named(
    photos: Path, tmp_path: Path
) -> None:
    """The rest is indexed, the reason is on stderr, a second run skips everything."""
    first = sightline("add", photos, "--gallery", tmp_path / "g", "--json")
    second = sightline("add", photos, "--gallery", tmp_path / "g")

    summary = json.loads(first.stdout)
    assert first.returncode == 0
    assert (summary["created"], summary["failed"], summary["count"]) == (2, 1, 2)
    assert summary["errors"][0]["path"].endswith("corrupt.jpg")
    assert "corrupt.jpg: the JPEG picture" in first.stderr
    assert second.returncode == 0
    assert second.stdout.startswith("0 added, 0 updated, 2 unchanged, 1 failed;")


@pytest.mark.slow
def test_a_table_brings_captions_ids_and_metadata(photos: Path, tmp_path: Path) -> None:
    """Columns become caption and metadata; an id column becomes the id."""
    table = photos / "pairs.csv"
    table.write_text("id,image,caption,label,year\nr1,red.png,a red square,square,2020\n")

    done = sightline("add", table, "--gallery", tmp_path / "g")
    found = sightline("search", "red", "--gallery", tmp_path / "g", "--json")

    assert done.returncode == 0, done.stderr
    (hit,) = json.loads(found.stdout)["hits"]
    assert hit["id"] == "r1"
    assert hit["caption"] == "a red square"
    assert hit["metadata"] == {"label": "square", "year": "2020"}
    assert hit["path"] == str(photos / "red.png")


@pytest.mark.slow
def test_if_nothing_can_be_added_the_exit_code_says_so(photos: Path, tmp_path: Path) -> None:
    """Exit code 1, and the reason on stderr."""
    done = sightline("add", photos / "corrupt.jpg", "--gallery", tmp_path / "g")

    assert done.returncode == 1
    assert "corrupt.jpg" in done.stderr
    assert "1 failed" in done.stdout


def test_a_missing_path_is_a_usage_error(tmp_path: Path) -> None:
    """Nothing is loaded or made for it."""
    done = sightline("add", "missing.jpg", "--gallery", tmp_path / "g", cwd=tmp_path)

    assert done.returncode == 2
    assert "missing.jpg" in done.stderr
    assert not (tmp_path / "g").exists()


@pytest.mark.slow
def test_a_tar_of_samples_is_added_with_its_captions(tmp_path: Path) -> None:
    """Pictures are copied, a sample without one is named, and a second run knows the rest."""
    with tarfile.open(tmp_path / "shard-000.tar", "w") as tar:
        for name, data in [
            ("1.png", picture_bytes("red")),
            ("1.txt", b"a red thing"),
            ("2.txt", b"nothing to see"),
        ]:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    pattern = tmp_path / "shard-{000..000}.tar"

    first = sightline("add", pattern, "--gallery", tmp_path / "g", "--json")
    second = sightline("add", pattern, "--gallery", tmp_path / "g")

    assert first.returncode == 0, first.stderr
    summary = json.loads(first.stdout)
    assert (summary["created"], summary["failed"]) == (1, 1)
    assert "shard-000.tar!2: it has no picture" in first.stderr
    assert second.stdout.startswith("0 added, 0 updated, 1 unchanged, 1 failed;")
    (tmp_path / "shard-000.tar").unlink()
    found = sightline("search", "red", "--gallery", tmp_path / "g", "--json")
    assert "a red thing" in found.stdout
