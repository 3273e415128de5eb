"""Which galleries lie in a folder, and what each one is, without loading a model or an index."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

from core.errors import NotFoundError, SightlineError
from index.binding import read_binding
from index.disk_use import DiskUse, measure_disk
from index.schema import DATABASE_NAME
from index.store import StoreReader
from index.stored_plan import plan_for


@dataclass(frozen=True, slots=True)
class GalleryOverview:
    """One gallery."""

    name: str
    folder: Path
    items: int
    encoder_id: str
    model: str | None
    """Path or name of its model; ``None`` for the starter model."""
    plan: str
    """The kind of its index."""
    disk: DiskUse
    created_ms: int | None
    """When its oldest item was added, in milliseconds since 1970; ``None`` for an empty one."""
    changed_ms: int | None
    """When an item was last added or changed."""
    damaged: int | None
    """Items whose vector is damaged; ``None`` where that was not looked at."""


@dataclass(frozen=True, slots=True)
class UnreadableGallery:
    """A gallery that cannot be opened."""

    name: str
    folder: Path
    reason: str


def list_galleries(home: Path, *, check: bool = False) -> list[GalleryOverview | UnreadableGallery]:
    """Return the galleries that ``home`` holds, itself included, by name.

    Args:
        home: a folder with a gallery in each sub-folder, or a gallery.
        check: read every vector and count the damaged ones.

    Raises:
        NotFoundError: there is no such folder.
    """
    if not home.is_dir():
        raise NotFoundError(f"{home} is no folder; name one that holds galleries")
    folders = [home, *sorted(path for path in home.iterdir() if path.is_dir())]
    return [
        _overview(folder, check=check) for folder in folders if (folder / DATABASE_NAME).is_file()
    ]


def _overview(folder: Path, *, check: bool) -> GalleryOverview | UnreadableGallery:
    name = folder.resolve().name
    try:
        with contextlib.closing(StoreReader(folder)) as store, store.frozen():
            binding = read_binding(store)
            with store.connection() as connection:
                items, created_ms, changed_ms = connection.execute(
                    "SELECT count(*), min(created_ms), max(updated_ms) FROM items"
                ).fetchone()
            return GalleryOverview(
                name=name,
                folder=folder,
                items=items,
                encoder_id=binding.encoder_id,
                model=binding.model,
                plan=plan_for(store, items, dim=binding.dim).kind,
                disk=measure_disk(folder, store),
                created_ms=created_ms,
                changed_ms=changed_ms,
                damaged=_damaged(store, binding.dim) if check else None,
            )
    except SightlineError as error:
        return UnreadableGallery(name, folder, str(error))


def _damaged(store: StoreReader, dim: int) -> int:
    row_ids_N = store.row_ids()
    return sum(len(block.damaged) for block in store.vectors(row_ids_N, dim=dim))
