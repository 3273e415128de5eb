"""Rules of the commands that care for a gallery: doctor, compact, backup, export, list and more."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from cli.main import command
from cli.output import size_text
from core.errors import ConflictError, QueryError, UsageError
from index.adding import NewImage
from index.gallery import Gallery
from index.schema import DATABASE_NAME
from tests.cli.test_add import sightline
from tests.fakes import FakeEncoder, picture_bytes
from tests.index.test_doctor import flip_vector

COLOURS = ("red", "green", "blue")


@dataclass(frozen=True, slots=True)
class Done:
    """What a command gave back."""

    code: int
    out: str
    err: str


Run = Callable[..., Done]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs a command in this process."""

    def call(*arguments: object) -> Done:
        code = command.main([str(one) for one in arguments], standalone_mode=False)
        out, err = capsys.readouterr()
        return Done(code or 0, out, err)

    return call


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a gallery of a fake model, for commands that load none."""
    with Gallery.open(tmp_path / "g", FakeEncoder()) as gallery:
        gallery.add([NewImage(picture_bytes(name), id=name, metadata={"n": 1}) for name in COLOURS])
    return tmp_path / "g"


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of pictures and a gallery of the starter model made of it."""
    home = tmp_path_factory.mktemp("care")
    (home / "pictures").mkdir()
    for name in COLOURS:
        (home / "pictures" / f"{name}.png").write_bytes(picture_bytes(name))
    done = sightline("add", home / "pictures", "--gallery", home / "g", "--copy")
    assert done.returncode == 0, done.stderr
    return home


@pytest.mark.slow
def test_the_doctor_tells_health_by_its_exit_code(real: Path) -> None:
    """0 on one screen for a healthy gallery, 1 with the fault named, 0 again after --fix."""
    healthy = sightline("doctor", "--gallery", real / "g")
    stray = real / "g" / "images" / "stray"
    stray.write_bytes(b"x")
    os.utime(stray, (1e9, 1e9))
    ill = sightline("doctor", "--gallery", real / "g", "--json")
    fixed = sightline("doctor", "--gallery", real / "g", "--fix")

    assert (healthy.returncode, healthy.stderr) == (0, "healthy\n")
    assert len(healthy.stdout.splitlines()) < 20
    assert "3 items, 3 findable" in healthy.stdout
    report = json.loads(ill.stdout)
    assert (ill.returncode, report["healthy"]) == (1, False)
    faults = [fault for check in report["checks"] for fault in check["faults"]]
    assert [(fault["kind"], fault["names"]) for fault in faults] == [("file_orphan", ["stray"])]
    assert fixed.returncode == 0
    assert "mended: kept files of no item: stray" in fixed.stdout


@pytest.mark.slow
def test_an_export_goes_through_another_gallery(real: Path, tmp_path: Path) -> None:
    """Exported, imported, embedded again: the same three items; another folder is not embedded."""
    done = sightline("export", tmp_path / "e", "--gallery", real / "g", "--images")
    back = sightline("import", tmp_path / "e", "--gallery", tmp_path / "back")
    again = sightline("import", tmp_path / "e", "--gallery", tmp_path / "new", "--re-embed")
    other = sightline("import", real / "pictures", "--gallery", tmp_path / "x", "--re-embed")

    assert (done.returncode, done.stdout) == (0, f"{tmp_path / 'e'}: 3 items, 3 pictures\n")
    assert (back.returncode, back.stdout) == (0, f"{tmp_path / 'back'}: 3 created\n")
    assert (again.returncode, again.stdout) == (0, f"{tmp_path / 'new'}: 3 created\n")
    assert other.returncode == 2
    assert "is no exported gallery" in other.stderr


@pytest.mark.slow
def test_items_are_deleted_by_id_or_filter(real: Path, tmp_path: Path) -> None:
    """With their kept files; it asks unless told not to."""
    gallery = tmp_path / "g"
    sightline("add", real / "pictures", "--gallery", gallery, "--copy")
    asked = sightline("delete", "--filter", "{}", "--gallery", gallery)
    done = sightline("delete", "--filter", "{}", "--gallery", gallery, "--yes")

    assert asked.returncode == 130
    assert "Delete 3 items" in asked.stderr
    assert done.stdout == f"3 deleted; {gallery} holds 0 images\n"
    assert not [path for path in (gallery / "images").rglob("*") if path.is_file()]


def test_delete_takes_ids_or_a_filter(run: Run, folder: Path) -> None:
    """Neither and both are usage errors, so is a filter that is none."""
    for arguments in ([], ["a", "--filter", "{}"]):
        with pytest.raises(UsageError, match="one of the two"):
            run("delete", "--gallery", folder, *arguments)
    with pytest.raises(QueryError, match="not valid JSON"):
        run("delete", "--gallery", folder, "--filter", "{")


def test_compact_says_what_it_won(run: Run, folder: Path) -> None:
    """As text and as JSON; beside a writer it is refused."""
    with Gallery.open(folder, FakeEncoder()), pytest.raises(ConflictError, match="process"):
        run("compact", "--gallery", folder)
    assert " 0 stray files deleted" in run("compact", "--gallery", folder).out
    fields = json.loads(run("compact", "--gallery", folder, "--json").out)
    assert fields["bytes_won"] == fields["bytes_before"] - fields["bytes_after"]
    assert fields["log_emptied"] is True


def test_backup_verify_restore(run: Run, folder: Path, tmp_path: Path) -> None:
    """One file out, checked, and back; a missing picture makes exit code 1."""
    file = tmp_path / "b.tar"
    done = run("backup", file, "--gallery", folder)
    assert done.code == 0
    assert ": 3 items, 3 kept pictures, " in done.out
    assert run("backup", file, "--verify").out == done.out
    back = run("restore", file, "--gallery", tmp_path / "back", "--json")
    assert json.loads(back.out)["items"] == 3
    next((folder / "images").glob("*/*")).unlink()
    lacking = run("backup", tmp_path / "c.tar", "--gallery", folder)
    assert lacking.code == 1
    assert "its kept picture is missing or damaged" in lacking.err


def test_list_shows_each_gallery_of_a_home(run: Run, folder: Path) -> None:
    """Name, items, model, index, size, ages; damage only with --check; bad ones are named."""
    home = folder.parent
    plain = run("list", home)
    (home / "broken").mkdir()
    (home / "broken" / DATABASE_NAME).write_bytes(b"not a database" * 100)
    flip_vector(folder)
    checked = run("list", home, "--check")
    fields = json.loads(run("list", home, "--json").out)["galleries"]

    header, row = plain.out.splitlines()
    assert plain.code == 0
    assert header.split() == ["name", "items", "model", "index", "size", "changed", "age"]
    assert row.split()[:4] == ["g", "3", "starter", "flat"]
    assert checked.code == 1
    assert checked.out.splitlines()[1].split()[-1] == "1"
    assert checked.err.startswith("broken: ")
    assert [(one["name"], one.get("items")) for one in fields] == [("g", 3), ("broken", None)]


def test_list_without_galleries_says_so(run: Run, tmp_path: Path) -> None:
    """An empty home is no error."""
    assert run("list", tmp_path) == Done(0, "", f"no gallery in {tmp_path}\n")


def test_fields_are_added_listed_and_dropped(run: Run, folder: Path) -> None:
    """Each step says what it did."""
    assert run("fields", "add", "n", "--gallery", folder).out == "n: indexed\n"
    assert run("fields", "add", "n", "--gallery", folder).out == "n: was indexed already\n"
    listed = json.loads(run("fields", "list", "--gallery", folder, "--json").out)
    assert listed["fields"] == [{"name": "n", "items": 3, "indexed": True}]
    assert run("fields", "drop", "n", "--gallery", folder).out == "n: no longer indexed\n"
    assert run("fields", "list", "--gallery", folder).out.splitlines()[1].split() == [
        "n",
        "3",
        "no",
    ]


def test_export_as_lines_of_json(run: Run, folder: Path, tmp_path: Path) -> None:
    """Each line is an item with nested metadata."""
    done = run("export", tmp_path / "e", "--gallery", folder, "--table", "jsonl", "--json")

    assert json.loads(done.out)["items"] == 3
    lines = (tmp_path / "e" / "metadata" / "metadata_0.jsonl").read_text().splitlines()
    assert [json.loads(line)["metadata"] for line in lines] == [{"n": 1}] * 3


def test_sizes_read_well() -> None:
    """Powers of 1000, one decimal."""
    assert [size_text(count) for count in (0, 999, 1000, 1_550_000, 2 * 10**15)] == [
        "0 B",
        "999 B",
        "1.0 kB",
        "1.6 MB",
        "2000.0 TB",
    ]
