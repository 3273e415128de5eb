"""Files into a gallery: decode ahead of the model, keep memory bounded, remember what failed."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

from core.errors import ImageError, NotFoundError, SightlineError
from index.adding import AddResult, NewImage, PreparedImage
from index.failures import Failure, RecordFailures
from index.gallery import Gallery
from index.items import FileStamp, Status, encode_metadata
from index.known import FileResult, Known, keeps_bytes, look_up
from index.sources import ImageFile, is_storable, read_picture, source_of, stamp_of
from index.stages import StageClock

__all__ = ["FileResult", "ImageFile", "add_files"]

_FILES_OF_A_BATCH = 32
_BATCHES_AHEAD = 2
_UNSEEN = -1


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A file that was read: the picture or the error, and how the file looked before."""

    ready: PreparedImage | AddResult
    stamp: FileStamp


@dataclass(frozen=True, slots=True)
class _Batch:
    files: Sequence[ImageFile]
    known: Sequence[Known]
    loading: dict[int, Future[_Loaded]]
    """By place; the other files need not be read."""


def add_files(
    gallery: Gallery,
    files: Iterable[ImageFile],
    *,
    copy: bool = False,
    threads: int = 2,
    retry_failed: bool = False,
    clock: StageClock | None = None,
) -> Generator[FileResult, None, None]:
    """Add files and yield one result each, in order; what was yielded is durable and searchable.

    Failures are recorded with their reason, see :mod:`index.failures`.

    Args:
        gallery: where to.
        files: what to add; read lazily.
        copy: keep the bytes in the gallery too.
        threads: that read and decode ahead of the model.
        retry_failed: read files again that failed for what they hold and did not change.
        clock: learns where the time goes.

    Raises:
        StorageFullError: the disk is full; what was yielded before is stored.
        StorageError: the gallery cannot be written.
    """
    clock = clock or StageClock()
    ahead: deque[_Batch] = deque()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="decode")
    try:
        source = iter(files)
        while batch := list(islice(source, _FILES_OF_A_BATCH)):
            known = look_up(gallery, batch, copy=copy, retry_failed=retry_failed)
            ahead.append(_start(gallery, batch, known, pool, copy=copy))
            if len(ahead) > _BATCHES_AHEAD:
                yield from _finish(gallery, ahead.popleft(), clock)
        while ahead:
            yield from _finish(gallery, ahead.popleft(), clock)
    finally:
        pool.shutdown(cancel_futures=True)


def _start(
    gallery: Gallery,
    files: Sequence[ImageFile],
    known: Sequence[Known],
    pool: ThreadPoolExecutor,
    *,
    copy: bool,
) -> _Batch:
    """Begin to read and decode the files that are not known."""
    loading = {
        place: pool.submit(_load, gallery, file, found.id, copy=keeps_bytes(file, copy=copy))
        for place, (file, found) in enumerate(zip(files, known, strict=True))
        if found.result is None
    }
    return _Batch(files, known, loading)


def _load(gallery: Gallery, file: ImageFile, id: str | None, *, copy: bool) -> _Loaded:
    stamp = FileStamp(source_of(file.path), _UNSEEN, _UNSEEN)
    try:
        # The stamp comes first: a change while reading must be seen the next time.
        stamp = stamp_of(file.path)
        data = read_picture(file.path, gallery.limits)
    except OSError as error:
        problem = NotFoundError(f"cannot be read: {error.strerror}")
        return _Loaded(AddResult(id, Status.ERROR, problem), stamp)
    except SightlineError as error:
        return _Loaded(AddResult(id, Status.ERROR, error), stamp)
    image = NewImage(
        data=data,
        id=id,
        caption=file.caption,
        metadata=file.metadata,
        source=stamp.path,
        copy=copy,
        stamp=stamp,
    )
    return _Loaded(gallery.prepare(image), stamp)


def _finish(gallery: Gallery, batch: _Batch, clock: StageClock) -> Iterator[FileResult]:
    with clock.stage("decoding"):
        loaded = {place: future.result() for place, future in batch.loading.items()}
    stored = gallery.store([file.ready for file in loaded.values()], clock=clock)
    read = dict(zip(loaded, stored, strict=True))
    results = [read.get(place) or found.result for place, found in enumerate(batch.known)]
    stamps = {place: file.stamp for place, file in loaded.items()}
    with clock.stage("disk"):
        _record_failures(gallery, batch, results, stamps)
    for file, result in zip(batch.files, results, strict=True):
        assert result is not None
        yield FileResult(file.path, result)


def _record_failures(
    gallery: Gallery,
    batch: _Batch,
    results: Sequence[AddResult | None],
    stamps: dict[int, FileStamp],
) -> None:
    failed: list[Failure] = []
    mended: list[str] = []
    for place, (file, result) in enumerate(zip(batch.files, results, strict=True)):
        error = None if result is None else result.error
        if error is None and batch.known[place].failed:
            mended.append(source_of(file.path))
        elif error is not None and place in stamps:
            failed.append(_failure(file, stamps[place], error))
    if failed or mended:
        gallery.collection.write(RecordFailures(failed, mended))


def _failure(file: ImageFile, stamp: FileStamp, error: SightlineError) -> Failure:
    metadata = file.metadata
    try:
        encode_metadata(metadata or {})
    except SightlineError:
        metadata = None
    texts = [text if text and is_storable(text) else None for text in (file.id, file.caption)]
    return Failure(
        stamp=stamp,
        code=error.code,
        message=str(error).encode(errors="backslashreplace").decode(),
        lasting=isinstance(error, ImageError),
        id=texts[0],
        caption=texts[1],
        metadata=metadata,
    )
