"""What a gallery knows of a file already, so that it need not be read again.

A file counts as known when its path, size and time of change are those that were recorded, and
its item still holds that content, with the caption and metadata that are given now; or when it
failed for what it holds, and did not change since.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.errors import ImageError, UsageError
from index.adding import AddResult
from index.failures import Failure, recorded_failures
from index.gallery import Gallery
from index.items import FileStamp, Item, Status
from index.sources import ImageFile, Picture, is_gone, is_storable, source_of, stamp_of
from index.store import KnownFile


@dataclass(frozen=True, slots=True)
class FileResult:
    """What became of one file."""

    path: Picture
    result: AddResult


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one file before it is read."""

    result: AddResult | None
    """Set where it need not be read."""
    id: str | None
    """The id to add it under; ``None`` for one made of its content."""
    failed: bool
    """Whether a failure of it is on record."""


def look_up(
    gallery: Gallery, files: Sequence[ImageFile], *, copy: bool, retry_failed: bool
) -> list[Known]:
    """Return what is known of each file, in order, from one look at the database.

    Raises:
        StorageError: the database cannot be read.
    """
    records = _Records.of(gallery, files)
    return [_known(gallery, file, records, copy=copy, retry_failed=retry_failed) for file in files]


def split_known(
    gallery: Gallery, files: Sequence[ImageFile], *, copy: bool = False, retry_failed: bool = False
) -> tuple[list[FileResult], list[ImageFile]]:
    """Return the results of the files that need not be read, and the files that must be.

    Raises:
        StorageError: the database cannot be read.
    """
    settled: list[FileResult] = []
    rest: list[ImageFile] = []
    for start in range(0, len(files), _FILES_AT_ONCE):
        part = files[start : start + _FILES_AT_ONCE]
        known = look_up(gallery, part, copy=copy, retry_failed=retry_failed)
        for file, found in zip(part, known, strict=True):
            if found.result is None:
                rest.append(file)
            else:
                settled.append(FileResult(file.path, found.result))
    return settled, rest


def keeps_bytes(file: ImageFile, *, copy: bool) -> bool:
    """Return whether the gallery keeps the bytes: there is no file to read them from later."""
    return copy or not isinstance(file.path, Path)


_FILES_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class _Records:
    """What the database holds of some files."""

    files: Mapping[str, KnownFile]
    items: Mapping[str, Item]
    failures: Mapping[str, Failure]

    @classmethod
    def of(cls, gallery: Gallery, files: Sequence[ImageFile]) -> _Records:
        """Ask for all that concerns the files."""
        collection = gallery.collection
        sources = [source for file in files if is_storable(source := source_of(file.path))]
        known = collection.known_files(sources)
        names = {file.id for file in files if file.id is not None}
        names |= {record.id for record in known.values()}
        # A damaged item is to be read again, so it counts as absent.
        items = collection.find(sorted(names - set(collection.damaged)))
        failures = recorded_failures(collection.store, sources)
        return cls(known, items, {failure.stamp.path: failure for failure in failures})


def _known(
    gallery: Gallery, file: ImageFile, records: _Records, *, copy: bool, retry_failed: bool
) -> Known:
    source = source_of(file.path)
    if not is_storable(source):
        error = UsageError("the name of the file is not UTF-8; rename it")
        return Known(AddResult(None, Status.ERROR, error), None, failed=False)
    record, failure = records.files.get(source), records.failures.get(source)
    name = file.id or (record.id if record is not None else "")
    item = records.items.get(name)
    own = item is not None and item.source == source
    asked = file.id or (name if own else None)
    stamp = _stamp(file.path)
    result: AddResult | None = None
    if _is_unchanged(file, item, record, stamp) and (
        not keeps_bytes(file, copy=copy) or gallery.holds_image(record.digest if record else "")
    ):
        result = AddResult(name, Status.UNCHANGED)
    elif failure is not None and failure.lasting and failure.stamp == stamp and not retry_failed:
        again = ImageError(failure.message, code=failure.code)
        result = AddResult(asked, Status.ERROR, again)
    return Known(result, asked, failed=failure is not None)


def _is_unchanged(
    file: ImageFile, item: Item | None, record: KnownFile | None, stamp: FileStamp | None
) -> bool:
    if item is None or record is None or record.stamp != stamp:
        return False
    return (
        (record.id, record.digest) == (item.id, item.digest)
        and file.caption in {None, item.caption}
        and (file.metadata is None or file.metadata == item.metadata)
        and (item.source in {None, record.stamp.path} or not is_gone(str(item.source)))
    )


def _stamp(picture: Picture) -> FileStamp | None:
    try:
        return stamp_of(picture)
    except OSError:
        return None
