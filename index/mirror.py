"""A gallery follows the files that it was filled from: what is deleted there goes here too."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from index.changes import Outcome
from index.failures import RecordFailures, recorded_failures
from index.gallery import Gallery
from index.ingest import add_files
from index.sources import ImageFile, absolute_path, is_gone
from index.store import StoreReader


@dataclass(frozen=True, slots=True)
class ForgetFiles:
    """A change: forget what was recorded of files; their items stay."""

    paths: Sequence[str]

    def __call__(self, connection: sqlite3.Connection) -> Outcome[None]:
        """Execute it."""
        connection.executemany("DELETE FROM files WHERE path = ?", [(path,) for path in self.paths])
        return Outcome(None)


def known_files_below(store: StoreReader, places: Sequence[Path]) -> dict[str, str]:
    """Return the id of each file on record at or below the places, by path.

    Raises:
        StorageError: the database cannot be read.
    """
    found: dict[str, str] = {}
    for place in places:
        found.update(_below(store, str(absolute_path(place))))
    return found


def follow_deletions(gallery: Gallery, places: Sequence[Path]) -> int:
    """Delete the items of files that are gone from the places; return how many items that were.

    An item stays where the gallery keeps its bytes, where it was found again under another path,
    and where another file on record holds the same picture, which then becomes its source.

    Raises:
        StorageError: the gallery cannot be written.
    """
    if not places:
        return 0
    store = gallery.collection.store
    gone = {path: name for path, name in known_files_below(store, places).items() if is_gone(path)}
    if gone:
        copies = _copies(store, set(gone.values()))
        for _ in add_files(gallery, [ImageFile(Path(path)) for path in copies]):
            pass
    lost: list[str] = []
    items = gallery.collection.find(sorted(set(gone.values())))
    forgotten: list[str] = []
    for path, name in gone.items():
        item = items.get(name)
        if item is None or item.source != path:
            forgotten.append(path)
        elif not gallery.holds_image(item.digest):
            lost.append(name)
    if forgotten:
        gallery.collection.write(ForgetFiles(forgotten))
    _forget_failures(gallery, places)
    return gallery.delete(lost) if lost else 0


def _below(store: StoreReader, place: str) -> dict[str, str]:
    # "0" is the character after "/": the range holds every path inside the folder.
    with store.connection() as connection:
        rows = connection.execute(
            "SELECT path, id FROM files WHERE path = ? OR (path > ? AND path < ?) "
            "OR (path > ? AND path < ?)",
            (place, f"{place}/", f"{place}0", f"{place}!", f'{place}"'),
        )
        return dict(rows)


def _copies(store: StoreReader, names: set[str]) -> list[str]:
    """Return the plain files, still there, that were added as one of these items."""
    found: list[str] = []
    with store.connection() as connection:
        for name in sorted(names):
            rows = connection.execute("SELECT path FROM files WHERE id = ? ORDER BY path", (name,))
            found += [path for (path,) in rows if Path(path).is_file()]
    return found


def _forget_failures(gallery: Gallery, places: Sequence[Path]) -> None:
    roots = [str(absolute_path(place)) for place in places]
    gone = [
        failure.stamp.path
        for failure in recorded_failures(gallery.collection.store)
        if any(_is_below(failure.stamp.path, root) for root in roots)
        and is_gone(failure.stamp.path)
    ]
    if gone:
        gallery.collection.write(RecordFailures(mended=gone))


def _is_below(path: str, root: str) -> bool:
    return path == root or path.startswith((f"{root}/", f"{root}!"))
