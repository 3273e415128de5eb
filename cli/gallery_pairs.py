"""The captioned pictures of a gallery as pairs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.pairs.pair import Pair

if TYPE_CHECKING:
    from index.items import Item
    from index.media import MediaStore

_ITEMS_PER_PAGE = 1000


@dataclass(frozen=True, slots=True)
class GalleryImage:
    """A picture of a gallery; a ``ContainedImage``."""

    container: Path
    """Folder of the gallery."""
    item: Item
    media: MediaStore

    @property
    def name(self) -> str:
        """The id of the item."""
        return self.item.id

    @property
    def stamp(self) -> int:
        """A number that changes with the content."""
        return int(self.item.digest[:15], 16)

    def size_bytes(self) -> int:
        """Return the number of bytes that ``read`` returns.

        Raises:
            NotFoundError: the file is gone or holds another picture now.
        """
        return len(self.read())

    def read(self) -> bytes:
        """Return the bytes of the picture.

        Raises:
            NotFoundError: the file is gone or holds another picture now.
        """
        return self.media.image(self.item)

    def __str__(self) -> str:
        return f"{self.container}!{self.item.id}"


def gallery_pairs(folder: Path) -> list[Pair]:
    """Return the items of a gallery that have a caption, in order of their ids.

    Raises:
        NotFoundError: there is no gallery.
        StorageError: it cannot be read.
    """
    from index.filter_sql import EVERYTHING
    from index.media import MediaStore
    from index.store import StoreReader

    store, media = StoreReader(folder), MediaStore(folder)
    pairs: list[Pair] = []
    try:
        after = ""
        while page := store.page(EVERYTHING, after=after, limit=_ITEMS_PER_PAGE):
            after = page[-1].id
            pairs += [
                Pair(id=item.id, image=GalleryImage(folder, item, media), captions=(item.caption,))
                for item in page
                if item.caption
            ]
    finally:
        store.close()
    return pairs
