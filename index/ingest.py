"""Files into a gallery: skip what is known, decode ahead of the model, keep memory bounded.

A file counts as known when its path, size and time of change are those that were recorded, and
its item still holds that content, with the caption and metadata that are given now.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from core.errors import NotFoundError, SightlineError, UsageError
from core.types import JSONObject
from encoders.decoding import read_image_file
from index.adding import AddResult, NewImage, PreparedImage
from index.gallery import Gallery
from index.items import FileStamp, Item, Status
from index.store import KnownFile

_FILES_OF_A_BATCH = 32
_BATCHES_AHEAD = 2


@dataclass(frozen=True, slots=True)
class ImageFile:
    """A file to add."""

    path: Path
    id: str | None = None
    """``None``: the id that this path had before, else one made of the content."""
    caption: str | None = None
    """``None`` keeps the caption of an item that exists already."""
    metadata: JSONObject | None = None
    """``None`` keeps the metadata of an item that exists already."""


@dataclass(frozen=True, slots=True)
class FileResult:
    """What became of one file."""

    path: Path
    result: AddResult


_Slot = AddResult | Future[PreparedImage | AddResult]


def add_files(
    gallery: Gallery, files: Iterable[ImageFile], *, copy: bool = False, threads: int = 2
) -> Generator[FileResult, None, None]:
    """Add files and yield one result each, in order; what was yielded is durable and searchable.

    Args:
        gallery: where to.
        files: what to add; read lazily.
        copy: keep the bytes in the gallery too.
        threads: that decode ahead of the model.

    Raises:
        StorageFullError: the disk is full; what was yielded before is stored.
        StorageError: the gallery cannot be written.
    """
    ahead: deque[tuple[Sequence[ImageFile], list[_Slot]]] = deque()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="decode")
    try:
        source = iter(files)
        while batch := list(islice(source, _FILES_OF_A_BATCH)):
            ahead.append((batch, _start(gallery, batch, pool, copy=copy)))
            if len(ahead) > _BATCHES_AHEAD:
                yield from _finish(gallery, *ahead.popleft())
        while ahead:
            yield from _finish(gallery, *ahead.popleft())
    finally:
        pool.shutdown(cancel_futures=True)


def _start(
    gallery: Gallery, batch: Sequence[ImageFile], pool: ThreadPoolExecutor, *, copy: bool
) -> list[_Slot]:
    """Return what is known of each file already, or the decoding of it that has begun."""
    paths = [str(file.path.absolute()) for file in batch]
    known = gallery.collection.known_files([path for path in paths if _is_utf8(path)])
    names = [
        file.id or (known[path].id if path in known else "")
        for file, path in zip(batch, paths, strict=True)
    ]
    damaged = set(gallery.collection.damaged)
    items = gallery.collection.find([name for name in names if name not in damaged])
    slots: list[_Slot] = []
    for file, path, name in zip(batch, paths, names, strict=True):
        item = items.get(name)
        if not _is_utf8(path):
            error = UsageError("the name of the file is not UTF-8; rename it")
            slots.append(AddResult(None, Status.ERROR, error))
        elif _is_unchanged(file, item, known.get(path)) and (
            not copy or gallery.holds_image(known[path].digest)
        ):
            slots.append(AddResult(name, Status.UNCHANGED))
        else:
            own = item is not None and item.source == path
            asked = file.id or (name if own else None)
            slots.append(pool.submit(_load, gallery, file, asked, copy=copy))
    return slots


def _is_utf8(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_unchanged(file: ImageFile, item: Item | None, known: KnownFile | None) -> bool:
    if item is None or known is None:
        return False
    try:
        stamp = _stamp(file.path)
    except OSError:
        return False
    return (
        known.stamp == stamp
        and (known.id, known.digest) == (item.id, item.digest)
        and file.caption in {None, item.caption}
        and (file.metadata is None or file.metadata == item.metadata)
    )


def _load(
    gallery: Gallery, file: ImageFile, id: str | None, *, copy: bool
) -> PreparedImage | AddResult:
    try:
        # The stamp comes first: a change while reading must be seen the next time.
        stamp = _stamp(file.path)
        data = read_image_file(file.path, gallery.limits)
    except OSError as error:
        return AddResult(id, Status.ERROR, NotFoundError(f"cannot be read: {error.strerror}"))
    except SightlineError as error:
        return AddResult(id, Status.ERROR, error)
    return gallery.prepare(
        NewImage(
            data=data,
            id=id,
            caption=file.caption,
            metadata=file.metadata,
            source=stamp.path,
            copy=copy,
            stamp=stamp,
        )
    )


def _finish(
    gallery: Gallery, batch: Sequence[ImageFile], slots: Sequence[_Slot]
) -> Iterator[FileResult]:
    ready = [slot if isinstance(slot, AddResult) else slot.result() for slot in slots]
    for file, result in zip(batch, gallery.store(ready), strict=True):
        yield FileResult(file.path, result)


def _stamp(path: Path) -> FileStamp:
    found = path.stat()
    return FileStamp(str(path.absolute()), found.st_size, found.st_mtime_ns)
