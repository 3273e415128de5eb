"""Files into a gallery: read and decode, embed and store at the same time, in bounded memory.

Threads read and decode ahead, one thread asks the model, and the caller's thread stores, so the
slowest of the three is always busy. What failed is remembered.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from core.errors import ImageError, NotFoundError, SightlineError
from core.prefetch import MemoryBound, batched, prefetched, run_ahead
from index.adding import AddResult, NewImage, PreparedImage
from index.failures import Failure, RecordFailures
from index.gallery import Gallery, Vectors
from index.items import FileStamp, Status, encode_metadata
from index.known import FileResult, Known, keeps_bytes, look_up
from index.sources import ImageFile, RemoteImage, is_storable, read_picture, source_of, stamp_of
from index.stages import StageClock

__all__ = ["FileResult", "ImageFile", "add_files"]

FILES_OF_A_BATCH = 64
"""Files that are embedded by one call and stored by one write."""
BATCHES_IN_FLIGHT = 2
"""One is being stored, one is in the model or waits: what a crash costs at most."""
_FILES_AHEAD = 2 * FILES_OF_A_BATCH
_MOST_BYTES = 64 * 1024 * 1024
"""What the bytes of pictures that the gallery keeps may take: ahead of the model, and a batch."""
_REMOTE_BYTES = 1024 * 1024
"""Assumed of a picture on the web, whose size nobody knows before it is fetched."""
_UNSEEN = -1


@dataclass(frozen=True, slots=True)
class _Asked:
    """A file, and what is known of it."""

    file: ImageFile
    known: Known


@dataclass(frozen=True, slots=True)
class _Loaded:
    """What became of a file: the picture or the error, and how the file looked before."""

    file: ImageFile
    known: Known
    ready: PreparedImage | AddResult
    stamp: FileStamp | None
    """``None`` where the file was not read."""


@dataclass(frozen=True, slots=True)
class _Embedded:
    """A batch with the vectors of its contents."""

    files: Sequence[_Loaded]
    vectors: Vectors


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
    asked = _look_up(gallery, files, copy=copy, retry_failed=retry_failed)
    memory = MemoryBound[_Asked](lambda one: _bytes_held(one.file, copy=copy), _MOST_BYTES)
    loaded = prefetched(
        lambda one: _load(gallery, one, copy=keeps_bytes(one.file, copy=copy)),
        asked,
        workers=threads,
        ahead=_FILES_AHEAD,
        memory=memory,
    )
    with closing(run_ahead(_embed(gallery, loaded, clock or StageClock()))) as batches:
        for batch in batches:
            yield from _store(gallery, batch)


def _look_up(
    gallery: Gallery, files: Iterable[ImageFile], *, copy: bool, retry_failed: bool
) -> Iterator[_Asked]:
    source = iter(files)
    while batch := list(islice(source, FILES_OF_A_BATCH)):
        known = look_up(gallery, batch, copy=copy, retry_failed=retry_failed)
        yield from map(_Asked, batch, known)


def _embed(gallery: Gallery, loaded: Generator[_Loaded], clock: StageClock) -> Generator[_Embedded]:
    """Embed batch after batch; runs in a thread of its own."""
    memory = MemoryBound[_Loaded](_bytes_kept, _MOST_BYTES)
    # What is not stored yet cannot be found in the gallery.
    recent: deque[Vectors] = deque(maxlen=BATCHES_IN_FLIGHT)
    with closing(loaded), closing(batched(loaded, most=FILES_OF_A_BATCH, memory=memory)) as batches:
        while True:
            with clock.stage("decoding"):
                batch = next(batches, None)
            if batch is None:
                return
            with clock.stage("model"):
                known = {name: found for vectors in recent for name, found in vectors.items()}
                vectors = gallery.embed([one.ready for one in batch], known=known)
            recent.append(vectors)
            with clock.stage("disk"):
                yield _Embedded(batch, vectors)


def _store(gallery: Gallery, batch: _Embedded) -> Iterator[FileResult]:
    stored = gallery.store([one.ready for one in batch.files], vectors=batch.vectors)
    _record_failures(gallery, batch.files, stored)
    for one, result in zip(batch.files, stored, strict=True):
        yield FileResult(one.file.path, result)


def _bytes_held(file: ImageFile, *, copy: bool) -> int:
    """Return how much of a file stays in memory until it is stored."""
    if not keeps_bytes(file, copy=copy):
        return 0
    if isinstance(file.path, RemoteImage):
        return _REMOTE_BYTES
    try:
        return file.path.stat().st_size if isinstance(file.path, Path) else file.path.size_bytes()
    except (OSError, NotFoundError):
        return 0


def _bytes_kept(one: _Loaded) -> int:
    kept = one.ready.kept if isinstance(one.ready, PreparedImage) else None
    return len(kept or b"")


def _load(gallery: Gallery, asked: _Asked, *, copy: bool) -> _Loaded:
    file, known = asked.file, asked.known
    if known.result is not None:
        return _Loaded(file, known, known.result, None)
    stamp = FileStamp(source_of(file.path), _UNSEEN, _UNSEEN)
    try:
        # The stamp comes first: a change while reading must be seen the next time.
        stamp = stamp_of(file.path)
        data = read_picture(file.path, gallery.limits)
    except OSError as error:
        problem = NotFoundError(f"cannot be read: {error.strerror}")
        return _Loaded(file, known, AddResult(known.id, Status.ERROR, problem), stamp)
    except SightlineError as error:
        return _Loaded(file, known, AddResult(known.id, Status.ERROR, error), stamp)
    image = NewImage(
        data=data,
        id=known.id,
        caption=file.caption,
        metadata=file.metadata,
        source=stamp.path,
        copy=copy,
        stamp=stamp,
    )
    return _Loaded(file, known, gallery.prepare(image), stamp)


def _record_failures(
    gallery: Gallery, files: Sequence[_Loaded], results: Sequence[AddResult]
) -> None:
    failed: list[Failure] = []
    mended: list[str] = []
    for one, result in zip(files, results, strict=True):
        if result.error is None and one.known.failed:
            mended.append(source_of(one.file.path))
        elif result.error is not None and one.stamp is not None:
            failed.append(_failure(one.file, one.stamp, result.error))
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
