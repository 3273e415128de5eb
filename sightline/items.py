"""The items of the gallery, as ``client.items``: read, change, delete, walk."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence

from core.types import JSONObject
from sightline.answers import Item, ItemPage
from sightline.item_calls import (
    delete_items_call,
    get_item_call,
    image_call,
    list_items_call,
    update_item_call,
)
from sightline.transport import AsyncTransport, Transport

PAGE = 200
"""Items of one page of a walk."""


class Items:
    """Items, through a client that waits."""

    def __init__(self, transport: Transport) -> None:
        """Send through ``transport``."""
        self._transport = transport

    def get(self, id: str) -> Item:
        """Return an item.

        Raises:
            NotFoundError: there is none of that id.
        """
        return self._transport.send(get_item_call(id))

    def page(
        self, *, filter: JSONObject | None = None, cursor: str | None = None, limit: int = PAGE
    ) -> ItemPage:
        """Return one page of items in the order of their ids."""
        return self._transport.send(list_items_call(filter=filter, cursor=cursor, limit=limit))

    def walk(self, *, filter: JSONObject | None = None, page: int = PAGE) -> Iterator[Item]:
        """Yield every item, or all that satisfy a filter, in the order of their ids."""
        cursor: str | None = None
        while True:
            found = self.page(filter=filter, cursor=cursor, limit=page)
            yield from found.items
            cursor = found.cursor
            if cursor is None:
                return

    def update(
        self, id: str, *, caption: str | None = None, metadata: JSONObject | None = None
    ) -> Item:
        """Replace the caption, the metadata or both, and return the item.

        Raises:
            NotFoundError: there is none of that id.
        """
        return self._transport.send(update_item_call(id, caption=caption, metadata=metadata))

    def delete(self, ids: Sequence[str] | None = None, *, filter: JSONObject | None = None) -> int:
        """Delete items by their ids or a filter and return how many there were."""
        return self._transport.send(delete_items_call(ids, filter))

    def image(self, id: str) -> bytes:
        """Return the image file of an item as it was added."""
        return self._transport.send(image_call(id))

    def thumbnail(self, id: str) -> bytes:
        """Return a small version of an item's image."""
        return self._transport.send(image_call(id, kind="thumbnail"))


class AsyncItems:
    """Items, through a client that is awaited."""

    def __init__(self, transport: AsyncTransport) -> None:
        """Send through ``transport``."""
        self._transport = transport

    async def get(self, id: str) -> Item:
        """Return an item; see :meth:`Items.get`."""
        return await self._transport.send(get_item_call(id))

    async def page(
        self, *, filter: JSONObject | None = None, cursor: str | None = None, limit: int = PAGE
    ) -> ItemPage:
        """Return one page of items in the order of their ids."""
        call = list_items_call(filter=filter, cursor=cursor, limit=limit)
        return await self._transport.send(call)

    async def walk(
        self, *, filter: JSONObject | None = None, page: int = PAGE
    ) -> AsyncIterator[Item]:
        """Yield every item, or all that satisfy a filter, in the order of their ids."""
        cursor: str | None = None
        while True:
            found = await self.page(filter=filter, cursor=cursor, limit=page)
            for item in found.items:
                yield item
            cursor = found.cursor
            if cursor is None:
                return

    async def update(
        self, id: str, *, caption: str | None = None, metadata: JSONObject | None = None
    ) -> Item:
        """Replace the caption, the metadata or both; see :meth:`Items.update`."""
        return await self._transport.send(update_item_call(id, caption=caption, metadata=metadata))

    async def delete(
        self, ids: Sequence[str] | None = None, *, filter: JSONObject | None = None
    ) -> int:
        """Delete items by their ids or a filter and return how many there were."""
        return await self._transport.send(delete_items_call(ids, filter))

    async def image(self, id: str) -> bytes:
        """Return the image file of an item as it was added."""
        return await self._transport.send(image_call(id))

    async def thumbnail(self, id: str) -> bytes:
        """Return a small version of an item's image."""
        return await self._transport.send(image_call(id, kind="thumbnail"))
