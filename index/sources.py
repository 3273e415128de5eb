"""Where a new picture comes from: a file, a place inside a container, or an address on the web."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from core.pairs.image_file import ContainedImage
from core.types import JSONObject
from encoders.decoding import DecodeLimits, read_image_file
from index.items import FileStamp

_ADDRESSES = ("http://", "https://")


@dataclass(frozen=True, slots=True)
class RemoteImage:
    """A picture on the web, fetched when it is read."""

    url: str
    fetch: Callable[[str], bytes] = field(compare=False, repr=False)
    """Returns the bytes of an address; called from several threads."""

    def __str__(self) -> str:
        return self.url

    @property
    def name(self) -> str:
        """The last part of the path, without the query."""
        return self.url.partition("?")[0].rstrip("/").rpartition("/")[2]


Picture: TypeAlias = Path | ContainedImage | RemoteImage
"""What can be added. Of the last two the gallery keeps the bytes."""


@dataclass(frozen=True, slots=True)
class ImageFile:
    """A picture to add, and what to say of it."""

    path: Picture
    id: str | None = None
    """``None``: the id that this path had before, else one made of the content."""
    caption: str | None = None
    """``None`` keeps the caption of an item that exists already."""
    metadata: JSONObject | None = None
    """``None`` keeps the metadata of an item that exists already."""


def source_of(picture: Picture) -> str:
    """Return the text that stands for a picture: path, ``container!name``, or address."""
    if isinstance(picture, RemoteImage):
        return picture.url
    if isinstance(picture, Path):
        return str(absolute_path(picture))
    return f"{absolute_path(picture.container)}!{picture.name}"


def absolute_path(path: Path) -> Path:
    """Return one spelling of a path: absolute and without ``..``; links stay as they are named."""
    if ".." in path.parts:
        return path.parent.resolve() / path.name if path.name != ".." else path.resolve()
    return path.absolute()


def stamp_of(picture: Picture) -> FileStamp:
    """Return how the picture looks now; an address looks always the same.

    Raises:
        OSError: there is no such file.
    """
    if isinstance(picture, RemoteImage):
        return FileStamp(picture.url, 0, 0)
    if isinstance(picture, Path):
        found = picture.stat()
        return FileStamp(source_of(picture), found.st_size, found.st_mtime_ns)
    container = picture.container.stat()
    return FileStamp(source_of(picture), picture.stamp, container.st_mtime_ns)


def read_picture(picture: Picture, limits: DecodeLimits) -> bytes:
    """Return the bytes of a picture.

    Raises:
        NotFoundError: there is no such file, or it cannot be read.
        ImageTooLargeError: it has more bytes than the limit.
        FetchError: the address cannot be fetched.
    """
    if isinstance(picture, RemoteImage):
        return picture.fetch(picture.url)
    return read_image_file(picture, limits)


def is_storable(text: str) -> bool:
    """Return whether a text is valid UTF-8, which the name of a file need not be."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_gone(source: str) -> bool:
    """Return whether a source was a file on this machine that is not there any more."""
    if source.startswith(_ADDRESSES) or Path(source).is_file():
        return False
    container, mark, _ = source.rpartition("!")
    while mark:
        if Path(container).is_file():
            return False
        container, mark, _ = container.rpartition("!")
    return True
