"""Rules of ``sightline add --watch``: a real process follows real changes of files."""

from __future__ import annotations

import itertools
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from cli.gathering import Reading
from cli.watching import FolderChanges
from index.filter_sql import EVERYTHING
from index.gallery import Gallery
from index.ingest import ImageFile, add_files
from index.items import Item
from index.store import StoreReader
from tests.fakes import FakeEncoder, picture_bytes

ROOT = Path(__file__).parent.parent.parent
PATIENCE_SECONDS = 300


class Watcher:
    """A watching process, and what it says."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        """Read its lines in a thread."""
        self.process = process
        self.lines: queue.Queue[str | None] = queue.Queue()
        self.said: list[str] = []
        threading.Thread(target=self._read, daemon=True).start()

    def wait_for(self, text: str) -> str:
        """Return the next line that holds the text."""
        while True:
            line = self.lines.get(timeout=PATIENCE_SECONDS)
            assert line is not None, f"ended without {text!r}: {self.said}"
            self.said.append(line)
            if text in line:
                return line

    def stop(self, number: signal.Signals) -> int:
        """Send a signal; return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout=PATIENCE_SECONDS)

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put(None)


@contextmanager
def watching(*arguments: object) -> Iterator[Watcher]:
    """Run ``sightline add --watch``; kill it if the test did not end it."""
    script = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from cli.main import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", script, "add", "--watch", *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with process:
        try:
            yield Watcher(process)
        finally:
            process.kill()


def items(gallery: Path) -> dict[str | None, Item]:
    """Return every item by its source."""
    with closing(StoreReader(gallery)) as store:
        return {item.source: item for item in store.page(EVERYTHING, after="", limit=1000)}


def write(path: Path, colour: str) -> Path:
    """Write a picture so that it appears whole."""
    partial = path.with_name(f".{path.name}.part")
    partial.write_bytes(picture_bytes(colour))
    return partial.rename(path)


@pytest.mark.slow
def test_new_changed_moved_and_deleted_files_are_followed(tmp_path: Path) -> None:
    """Each change shows in the gallery without another command; Ctrl-C ends it well."""
    photos, gallery = tmp_path / "photos", tmp_path / "g"
    (photos / "trip").mkdir(parents=True)
    red = write(photos / "red.png", "red")
    with watching(photos, "--gallery", gallery) as watcher:
        watcher.wait_for("1 added, 0 updated")
        watcher.wait_for("watching")

        blue = write(photos / "trip" / "blue.png", "blue")
        watcher.wait_for("1 added")
        first = items(gallery)
        assert first.keys() == {str(red), str(blue)}

        (photos / "red.txt").write_text("a red thing")
        watcher.wait_for("1 updated")
        assert items(gallery)[str(red)].caption == "a red thing"

        moved = (photos / "trip").rename(photos / "journey") / "blue.png"
        watcher.wait_for("1 updated, 0 unchanged, 0 failed, 0 deleted")
        assert items(gallery)[str(moved)].id == first[str(blue)].id

        write(red, "green")
        watcher.wait_for("1 updated")
        assert items(gallery)[str(red)].id == first[str(red)].id
        assert items(gallery)[str(red)].digest != first[str(red)].digest

        moved.unlink()
        watcher.wait_for("1 deleted")
        assert items(gallery).keys() == {str(red)}

        (photos / "bad.jpg").write_bytes(b"\xff\xd8\xff")
        watcher.wait_for("bad.jpg")
        watcher.wait_for("1 failed")
        assert watcher.stop(signal.SIGINT) == 0
        watcher.wait_for("stopped watching")


@pytest.mark.slow
def test_what_happened_in_between_is_made_up_for(tmp_path: Path) -> None:
    """Files deleted while nobody watched go; an empty folder looks like a missing disk."""
    photos, gallery = tmp_path / "photos", tmp_path / "g"
    photos.mkdir()
    paths = [write(photos / f"{name}.png", name) for name in ("red", "blue")]
    with watching(photos, "--gallery", gallery) as watcher:
        watcher.wait_for("watching")
        assert watcher.stop(signal.SIGTERM) == 0

    paths[0].unlink()
    with watching(photos, "--gallery", gallery) as watcher:
        watcher.wait_for("1 images are gone")
        watcher.wait_for("watching")
        assert items(gallery).keys() == {str(paths[1])}
        watcher.stop(signal.SIGINT)

    paths[1].unlink()
    with watching(photos, "--gallery", gallery) as watcher:
        watcher.wait_for("nothing is deleted; is its disk mounted?")
        watcher.wait_for("watching")
        assert items(gallery).keys() == {str(paths[1])}
        photos.rename(tmp_path / "elsewhere")
        watcher.wait_for("is gone; its items stay in the gallery")
        assert watcher.process.wait(timeout=PATIENCE_SECONDS) == 1
    assert items(gallery).keys() == {str(paths[1])}


@pytest.mark.slow
def test_a_gallery_inside_the_folder_is_left_alone(tmp_path: Path) -> None:
    """Its thumbnails are no pictures to add, and its writes are no changes to follow."""
    write(tmp_path / "red.png", "red")
    with watching(tmp_path, "--gallery", tmp_path / "g") as watcher:
        watcher.wait_for("watching")
        write(tmp_path / "blue.png", "blue")
        watcher.wait_for("1 added, 0 updated, 0 unchanged")
        write(tmp_path / "green.png", "green")
        assert "holds 3" in watcher.wait_for("1 added, 0 updated, 0 unchanged")
        watcher.stop(signal.SIGINT)
    lines = [line for line in watcher.said if "added" in line]
    assert len(lines) == 3
    assert len(items(tmp_path / "g")) == 3


def test_a_move_that_arrives_in_two_portions_is_still_one(tmp_path: Path) -> None:
    """The old path goes first, the new one comes a round later: the item and its caption stay."""
    photos = tmp_path / "photos"
    photos.mkdir()
    old = write(photos / "old.png", "red")
    with Gallery.open(tmp_path / "g", FakeEncoder()) as gallery:
        list(add_files(gallery, [ImageFile(old, id="mine", caption="kept")]))

        def portions() -> Iterator[set[Path]]:
            aside = old.rename(tmp_path / "aside.png")
            yield {old}
            yield {aside.rename(photos / "new.png")}
            yield set()
            (photos / "new.png").unlink()
            yield {photos / "new.png"}
            assert gallery.collection.count() == 1
            yield set()

        found = portions()
        changes = FolderChanges((photos,), itertools.islice(found, 3))
        changes.apply(gallery, Reading(), copy=False, threads=1)
        item = gallery.item("mine")
        assert (item.caption, item.source) == ("kept", str(photos / "new.png"))

        write(photos / "other.png", "blue")
        FolderChanges((photos,), found).apply(gallery, Reading(), copy=False, threads=1)
        assert gallery.collection.count() == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["pyproject.toml"], "--watch follows folders; pyproject.toml is none"),
        ([], "name something to add"),
        (["docs", "--json"], "prints no JSON"),
    ],
)
def test_only_folders_can_be_watched(arguments: list[str], reason: str, tmp_path: Path) -> None:
    """Anything else is a usage error, before a model is loaded."""
    with watching(*arguments, "--gallery", tmp_path / "g") as watcher:
        watcher.wait_for(reason)
        assert watcher.process.wait(timeout=PATIENCE_SECONDS) == 2
    assert not (tmp_path / "g").exists()
