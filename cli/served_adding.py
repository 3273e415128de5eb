"""``sightline add --url``: sources are read here, their pictures are sent to a server."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from cli.adding import AddRequest, AddSummary
from cli.gathering import Gathered, gather, gather_urls
from cli.output import note
from cli.progress import terminal_progress
from core.errors import PairsError, UsageError
from sightline.adding import AddLimits, NewItem
from sightline.client import Client

if TYPE_CHECKING:
    from encoders.decoding import DecodeLimits
    from index.sources import ImageFile

_NOWHERE = Path("/nonexistent")
"""Stands for the gallery's own folder, which is not on this machine."""


def add_to_server(client: Client, request: AddRequest) -> AddSummary:
    """Send every picture of the sources; what failed is named on stderr and counted.

    What the server has already it answers as unchanged, so the same command goes on where one
    was interrupted.

    Raises:
        UsageError: an option that only makes sense beside a folder.
        PairsError: a source that cannot be read, or holds no images.
        SightlineError: the server cannot be reached, or takes nothing now.
    """
    from encoders.decoding import DEFAULT_LIMITS

    _refuse_folder_options(request)
    found = _gathered(request, DEFAULT_LIMITS)
    summary = AddSummary()
    for place, reason in found.skipped.items():
        summary.count_error(place, PairsError.code, reason)
    items = (_item(file, DEFAULT_LIMITS) for file in found.files)
    limits = AddLimits(concurrency=min(request.threads, 16))
    with (
        closing(client.add_stream(items, limits=limits)) as results,
        terminal_progress("adding", total=len(found.files), unit="images") as progress,
    ):
        try:
            for file, result in zip(found.files, results, strict=True):
                if result.error is None:
                    summary.counts[result.status] += 1
                else:
                    summary.count_error(str(file.path), result.error.code, str(result.error))
                progress.advance()
        except KeyboardInterrupt:
            note(f"stopped; so far {summary.line()}. The same command goes on from here.")
            raise
    return summary


def _refuse_folder_options(request: AddRequest) -> None:
    if request.watch or request.retry_failed:
        option = "--watch" if request.watch else "--retry-failed"
        raise UsageError(f"{option} needs the gallery's folder; run it there, without --url")


def _gathered(request: AddRequest, limits: DecodeLimits) -> Gathered:
    found = Gathered()
    if request.paths:
        found = found.and_also(gather(request.paths, request.reading, outside=_NOWHERE))
    if request.urls is not None:
        found = found.and_also(
            gather_urls(
                request.urls,
                allowed=request.allowed,
                limits=limits,
                captions_from=request.reading.captions_from,
            )
        )
    return found


def _item(file: ImageFile, limits: DecodeLimits) -> NewItem:
    return NewItem(_reader(file, limits), file.id, file.caption, file.metadata)


def _reader(file: ImageFile, limits: DecodeLimits) -> Callable[[], bytes]:
    from index.sources import read_picture

    return partial(read_picture, file.path, limits)
