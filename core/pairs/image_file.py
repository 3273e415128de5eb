"""Where a picture lies: in a file of its own, or as bytes inside a container."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias

from core.errors import NotFoundError


class ContainedImage(Protocol):
    """A picture inside a container; ``str`` gives ``shard-000.tar!0001.jpg`` for messages."""

    @property
    def container(self) -> Path:
        """The file that holds the picture."""
        ...

    @property
    def name(self) -> str:
        """What the container calls the picture."""
        ...

    @property
    def stamp(self) -> int:
        """A number that changes with the content, as far as can be told without reading it."""
        ...

    def size_bytes(self) -> int:
        """Return the number of bytes that ``read`` returns.

        Raises:
            NotFoundError: the container is gone, or does not hold the picture any more.
        """
        ...

    def read(self) -> bytes:
        """Return the bytes of the picture; may be called from several threads.

        Raises:
            NotFoundError: the container is gone, or does not hold the picture any more.
        """
        ...


ImageFile: TypeAlias = Path | ContainedImage
"""A picture on disk."""


@dataclass(frozen=True, slots=True)
class FileSlice:
    """A picture that is a plain slice of a file: a member of a tar, a cell of an Arrow file."""

    container: Path
    name: str
    offset: int
    """First byte."""
    length: int
    """Number of bytes."""

    def __str__(self) -> str:
        return f"{self.container}!{self.name}"

    @property
    def stamp(self) -> int:
        """The number of bytes."""
        return self.length

    def size_bytes(self) -> int:
        """Return the number of bytes, without a look at the container."""
        return self.length

    def read(self) -> bytes:
        """Return the bytes of the picture.

        Raises:
            NotFoundError: the container is gone, or shorter than it was.
        """
        try:
            with self.container.open("rb") as file:
                file.seek(self.offset)
                data = file.read(self.length)
        except OSError as error:
            raise NotFoundError(f"{self} cannot be read: {error.strerror}") from error
        if len(data) < self.length:
            raise NotFoundError(f"{self} cannot be read: {self.container} ends before it does")
        return data


def image_stamp(image: ImageFile) -> int:
    """Return a number that changes with the content, as far as can be told without reading it.

    It is the size in bytes, -1 for a file that is missing.
    """
    if not isinstance(image, Path):
        return image.stamp
    try:
        return image.stat().st_size
    except OSError:
        return -1
