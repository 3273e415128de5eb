"""``sightline add --watch``: the gallery follows what changes in folders."""

from __future__ import annotations

import signal
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from cli.adding import add_gathered
from cli.gathering import Reading, gather
from cli.output import note, print_lines
from core.errors import NotFoundError, PairsError, StorageError
from core.pairs.folders import find_images

if TYPE_CHECKING:
    from watchfiles import Change

    from index.gallery import Gallery

_LONGEST_WAIT_MS = 1600
"""Changes that keep coming are taken in portions of this time."""
_QUIET_MS = 200
"""A pause of this length ends a portion: a file that is being written is left alone so long."""
_LOOK_MS = 500
_OWN_FOLDERS = ("images", "thumbnails", "snapshots", "label-sets")
_OWN_FILES = ("collection.sqlite3", "writer.lock")


@dataclass(frozen=True, slots=True)
class FolderChanges:
    """The paths that change in some folders, in portions, from the moment it was made."""

    roots: tuple[Path, ...]
    """Absolute."""
    portions: Iterator[set[Path]]
    """Empty ones come when nothing has changed for half a second."""

    def apply(self, gallery: Gallery, reading: Reading, *, copy: bool, threads: int) -> None:
        """Follow the changes until Ctrl-C or SIGTERM: new, changed, moved and deleted files.

        Raises:
            NotFoundError: a watched folder is gone; nothing was deleted for it.
            StorageError: the gallery cannot be written.
        """
        from index.mirror import follow_deletions

        try:
            for root in self.roots:
                _follow_what_is_gone(gallery, root)
            note(f"watching {', '.join(map(str, self.roots))}; Ctrl-C ends it")
            gone: set[Path] = set()
            for touched in self.portions:
                self._refuse_lost_folders()
                added = self._add(gallery, touched, reading, copy=copy, threads=threads)
                # A file may be gone for a moment only, or turn up under its new name a moment
                # later: what was gone a round ago and still is counts as deleted.
                deleted = follow_deletions(gallery, [path for path in gone if not path.exists()])
                gone = {path for path in touched if not path.exists()}
                if added or deleted:
                    count = gallery.collection.count()
                    said = added or "0 added"
                    print_lines([f"{said}, {deleted} deleted; {gallery.folder} holds {count}"])
        except KeyboardInterrupt:
            note("stopped watching")

    def _add(
        self, gallery: Gallery, touched: set[Path], reading: Reading, *, copy: bool, threads: int
    ) -> str:
        """Add what is behind the touched paths; return what became of it, nothing for nothing."""
        if not touched:
            return ""

        def is_touched(file: Path) -> bool:
            return not touched.isdisjoint(
                (file, file.with_suffix(".txt"), file.with_suffix(".json"), *file.parents)
            )

        try:
            found = gather(
                self.roots, reading, outside=gallery.folder, only=is_touched, may_be_empty=True
            )
        except PairsError as error:
            note(str(error))
            return ""
        if not (found.files or found.skipped):
            return ""
        return add_gathered(gallery, found, copy=copy, threads=threads).line()

    def _refuse_lost_folders(self) -> None:
        for root in self.roots:
            if not root.is_dir():
                raise NotFoundError(
                    f"the watched folder {root} is gone; its items stay in the gallery: bring it "
                    "back, or delete them, and watch again"
                )


@contextmanager
def following(folders: Sequence[Path], *, outside: Path) -> Iterator[FolderChanges | None]:
    """Note what changes in the folders from now on; without folders there is nothing to follow.

    ``outside`` is the gallery, whose own files do not count.

    Raises:
        StorageError: the system cannot watch that many folders.
    """
    if not folders:
        yield None
        return
    from watchfiles import watch

    from index.sources import absolute_path

    roots = tuple(absolute_path(folder) for folder in folders)
    own = outside.absolute()
    changes = watch(
        *roots,
        watch_filter=lambda _, name: _counts(Path(name), roots, own),
        debounce=_LONGEST_WAIT_MS,
        step=_QUIET_MS,
        rust_timeout=_LOOK_MS,
        yield_on_timeout=True,
        ignore_permission_denied=True,
    )
    with _ended_by_sigterm(), closing(changes):
        try:
            # The watch begins with the first step, before anything is looked through.
            first = next(changes)
        except (OSError, RuntimeError) as error:
            raise StorageError(
                f"{', '.join(map(str, roots))} cannot be watched: {error}; raise the system's "
                "limit of watches, or set WATCHFILES_FORCE_POLLING=1"
            ) from error
        yield FolderChanges(roots, _portions(first, changes))


def _portions(
    first: set[tuple[Change, str]], changes: Generator[set[tuple[Change, str]], None, None]
) -> Iterator[set[Path]]:
    for portion in chain([first], changes):
        yield {Path(name) for _, name in portion}


def _counts(path: Path, roots: Sequence[Path], gallery: Path) -> bool:
    """Return whether a change matters: not in hidden places, nor the gallery's own doing."""
    if path.parent == gallery and path.name.startswith(_OWN_FILES):
        return False
    if any(path.is_relative_to(gallery / name) for name in _OWN_FOLDERS):
        return False
    root = next((root for root in roots if path.is_relative_to(root)), None)
    return root is not None and not any(
        part.startswith(".") for part in path.relative_to(root).parts
    )


def _follow_what_is_gone(gallery: Gallery, root: Path) -> None:
    """Follow what was deleted while nobody watched, unless it looks as if a disk were missing."""
    from index.mirror import follow_deletions, known_files_below

    known = known_files_below(gallery.collection.store, [root])
    if known and not find_images(root):
        note(
            f"{root} holds no images, but {len(known)} were added from there: nothing is deleted; "
            "is its disk mounted?"
        )
        return
    deleted = follow_deletions(gallery, [root])
    if deleted:
        note(f"{deleted} images are gone from {root} and were deleted from the gallery")


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM, as service managers send it, do what Ctrl-C does."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
