"""Adding files to a gallery with a progress bar, and what to say of it afterwards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from cli.gathering import Gathered, Reading, gather, gather_failed, gather_urls
from cli.output import note
from cli.progress import terminal_progress
from core.errors import PairsError
from core.types import JSONObject

if TYPE_CHECKING:
    from index.failures import Failure
    from index.gallery import Gallery
    from index.known import FileResult
    from index.stages import Stage


@dataclass(frozen=True, slots=True)
class AddRequest:
    """What ``sightline add`` asks for."""

    paths: tuple[Path, ...]
    urls: Path | None
    allowed: tuple[str, ...]
    """Private networks that may be fetched from."""
    reading: Reading
    copy: bool
    threads: int
    retry_failed: bool
    watch: bool


@dataclass(slots=True)
class AddSummary:
    """How many files came to which end, and the ones that failed."""

    counts: Counter[str] = field(default_factory=Counter)
    """By status: created, updated, unchanged, error."""
    errors: list[JSONObject] = field(default_factory=list)
    """Path, code and message of each file that failed."""
    bound_by: Stage | None = None
    """What the speed was bound by; ``None`` where nothing had to be read."""

    def line(self) -> str:
        """Return one readable line."""
        return (
            f"{self.counts['created']} added, {self.counts['updated']} updated, "
            f"{self.counts['unchanged']} unchanged, {self.counts['error']} failed"
        )

    def count_error(self, path: str, code: str, message: str) -> None:
        """Name a file that failed on stderr, and count it."""
        note(f"{path}: {message}")
        self.counts["error"] += 1
        self.errors.append({"path": path, "code": code, "message": message})

    @property
    def stored(self) -> int:
        """How many files are in the gallery now."""
        return self.counts.total() - self.counts["error"]


def add_sources(
    gallery: Gallery, sources: Sequence[Path], *, copy: bool = False, threads: int = 2
) -> AddSummary:
    """Add image files, folders and pairs files; name every file that fails on stderr.

    Raises:
        PairsError: a source that cannot be read, or holds no images.
        StorageError: the gallery cannot be written; what was counted before is stored.
    """
    found = gather(sources, Reading(), outside=gallery.folder)
    return add_gathered(gallery, found, copy=copy, threads=threads)


def gather_for(request: AddRequest, opened: Gallery) -> Gathered:
    """Return every picture that a request names, none of which is read yet.

    Raises:
        PairsError: a source that cannot be read, or holds no images.
        UsageError: a network that is none.
    """
    found = Gathered()
    if request.paths:
        found = found.and_also(
            gather(
                request.paths,
                request.reading,
                outside=opened.folder,
                may_be_empty=request.watch,
            )
        )
    if request.urls is not None:
        found = found.and_also(
            gather_urls(
                request.urls,
                allowed=request.allowed,
                limits=opened.limits,
                captions_from=request.reading.captions_from,
            )
        )
    if request.retry_failed and not (request.paths or request.urls):
        found = gather_failed(opened, allowed=request.allowed)
    return found


def add_gathered(
    gallery: Gallery,
    found: Gathered,
    *,
    copy: bool = False,
    threads: int = 2,
    retry_failed: bool = False,
) -> AddSummary:
    """Add files; what is known already counts at once, so that rate and ETA are those of the rest.

    Raises:
        StorageError: the gallery cannot be written; what was counted before is stored.
    """
    from index.ingest import add_files
    from index.known import split_known
    from index.stages import StageClock

    summary = AddSummary()
    _record_skipped(gallery, found)
    for place, reason in found.skipped.items():
        summary.count_error(place, PairsError.code, reason)
    known, rest = split_known(gallery, found.files, copy=copy, retry_failed=retry_failed)
    for result in known:
        _count(summary, result)
    clock = StageClock()
    results = add_files(
        gallery, rest, copy=copy, threads=threads, retry_failed=retry_failed, clock=clock
    )
    total = len(found.files)
    with (
        closing(results),
        terminal_progress("adding", total=total, unit="images", initial=len(known)) as progress,
    ):
        try:
            for result in results:
                _count(summary, result)
                progress.advance(bound_by=clock.bound)
        except KeyboardInterrupt:
            note(f"stopped; so far {summary.line()}. The same command goes on from here.")
            raise
    summary.bound_by = clock.slowest if rest else None
    return summary


def _count(summary: AddSummary, added: FileResult) -> None:
    error = added.result.error
    if error is None:
        summary.counts[added.result.status.value] += 1
    else:
        summary.count_error(str(added.path), error.code, str(error))


def _record_skipped(gallery: Gallery, found: Gathered) -> None:
    """Record the samples that a source names but cannot give, and forget those that it can now."""
    from index.failures import Failure, RecordFailures, recorded_failures
    from index.items import FileStamp
    from index.sources import is_storable

    failed = [
        Failure(FileStamp(place, -1, -1), PairsError.code, reason, lasting=False)
        for place, reason in found.skipped.items()
        if is_storable(place)
    ]
    mended = [
        failure.stamp.path
        for failure in recorded_failures(gallery.collection.store)
        if failure.code == PairsError.code
        and failure.stamp.path not in found.skipped
        and _is_of(failure, found.places)
    ]
    if failed or mended:
        gallery.collection.write(RecordFailures(failed, mended))


def _is_of(failure: Failure, places: Sequence[Path]) -> bool:
    return any(
        failure.stamp.path.startswith(tuple(f"{place}{end}" for end in "/!:")) for place in places
    )
