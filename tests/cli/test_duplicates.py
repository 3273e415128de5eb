"""Rules of ``sightline duplicates``, run as a user runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from index.gallery import Gallery
from index.ingest import ImageFile, add_files
from tests.fakes import FakeEncoder, picture_bytes

ROOT = Path(__file__).parent.parent.parent


def duplicates(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own."""
    script = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from cli.main import main; main()"
    return subprocess.run(
        [sys.executable, "-c", script, "duplicates", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_groups_are_listed_without_a_model(tmp_path: Path) -> None:
    """Two reds and a blue: one group, with paths, in both kinds of output."""
    for name, colour in {"a": (220, 20, 20), "b": (221, 20, 20), "c": (20, 20, 220)}.items():
        (tmp_path / f"{name}.png").write_bytes(picture_bytes(colour))
    with Gallery.open(tmp_path / "g", FakeEncoder()) as gallery:
        files = [ImageFile(tmp_path / f"{name}.png", id=name) for name in "abc"]
        assert len(list(add_files(gallery, files))) == 3

    text = duplicates("--gallery", tmp_path / "g")
    found = duplicates("--gallery", tmp_path / "g", "--json", "--threshold", "0.99")

    assert text.returncode == found.returncode == 0, text.stderr
    assert text.stdout.splitlines()[:2] == [
        f"1.0000  a  {tmp_path}/a.png",
        f"1.0000  b  {tmp_path}/b.png",
    ]
    assert "1 groups; 1 images look like another at cosine 0.95" in text.stderr
    (group,) = json.loads(found.stdout)["groups"]
    assert [item["id"] for item in group["items"]] == ["a", "b"]
    assert group["items"][1]["path"] == str(tmp_path / "b.png")


def test_bad_filters_and_folders_are_named(tmp_path: Path) -> None:
    """Usage errors exit with 2, a folder without a gallery with 1."""
    with Gallery.open(tmp_path / "g", FakeEncoder()):
        pass

    bad = duplicates("--gallery", tmp_path / "g", "--filter", "{")
    none = duplicates("--gallery", tmp_path)

    assert (bad.returncode, none.returncode) == (2, 1)
    assert "--filter is not valid JSON" in bad.stderr
    assert "is not a gallery" in none.stderr
