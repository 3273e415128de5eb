"""What commands ask of a gallery, be it a folder on this machine or behind a server.

`folder_gallery` and `served_gallery` answer alike, so that a command presents its result once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

import click

from cli.settings import default_gallery, default_url
from core.errors import UsageError
from core.types import JSONObject

if TYPE_CHECKING:
    from cli.adding import AddRequest, AddSummary
    from sightline.answers import SearchAnswer

Mode: TypeAlias = Literal["vector", "keyword", "hybrid"]

url_option = click.option(
    "--url", help="Address of a server to ask, instead of a folder.  [default: SIGHTLINE_URL]"
)
"""Given to every command that works against a server."""


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """What ``sightline search`` asks for; checked already where no gallery is needed."""

    text: str
    """In the query language; may be empty beside images."""
    images: tuple[Path, ...] = ()
    k: int = 10
    filter: JSONObject | None = None
    cursor: str | None = None
    min_confidence: float | None = None
    mode: Mode = "vector"
    explain: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """The answer of a search."""

    answer: SearchAnswer
    paths: Mapping[str, str] = field(default_factory=dict)
    """By id: the file of this machine that a hit was added from; a server tells none."""


@dataclass(frozen=True, slots=True)
class Deleted:
    """What a deletion did."""

    deleted: int
    left: int


@dataclass(frozen=True, slots=True)
class Added:
    """What an ``add`` did."""

    summary: AddSummary
    model: str
    """Encoder id of the gallery."""
    count: int
    """Images that the gallery holds now."""


class AnyGallery(Protocol):
    """A gallery that commands work with."""

    @property
    def where(self) -> str:
        """Folder or address, for messages."""
        ...

    def search(self, request: SearchRequest) -> Found:
        """Return one page of hits.

        Raises:
            SightlineError: the query cannot be answered, or the gallery not be reached.
        """
        ...

    def delete(
        self, ids: tuple[str, ...], filter: JSONObject | None, *, confirm: Callable[[int], None]
    ) -> Deleted:
        """Delete items by their ids, or all that satisfy a filter.

        Args:
            ids: unknown ones count as done.
            filter: instead of ids.
            confirm: called with the number of items before the first is deleted; may raise.

        Raises:
            SightlineError: the gallery cannot be written or reached.
        """
        ...

    def add(self, request: AddRequest, *, report: Callable[[Added], None]) -> None:
        """Add what the request names, and report once all of it has its end.

        Raises:
            SightlineError: the gallery cannot be written or reached.
        """
        ...


def any_gallery(*, gallery: Path | None, url: str | None, model: str | None = None) -> AnyGallery:
    """Return the gallery of a command: at ``url``, else in the folder; nothing is opened yet.

    Args:
        gallery: value of ``--gallery``, which stands above ``SIGHTLINE_URL``.
        url: value of ``--url``.
        model: value of ``--model``; a server has a model of its own.

    Raises:
        UsageError: options that exclude each other, or no address.
    """
    address = chosen_url(gallery=gallery, url=url, model=model)
    if address is None:
        from cli.folder_gallery import FolderGallery

        return FolderGallery(gallery or default_gallery(), model)
    from cli.served_gallery import ServedGallery

    return ServedGallery(address)


def chosen_url(*, gallery: Path | None, url: str | None, model: str | None = None) -> str | None:
    """Return the address that a command is to ask; ``None`` where it works on a folder.

    Raises:
        UsageError: options that exclude each other.
    """
    if url is None:
        return default_url() if gallery is None and model is None else None
    if gallery is not None:
        raise UsageError("--url and --gallery are both given; use one of them")
    if model is not None:
        raise UsageError("--model has no meaning with --url: the server has a model of its own")
    return url
