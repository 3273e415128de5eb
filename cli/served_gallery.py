"""A gallery behind a server, as commands work with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from cli.any_gallery import Added, Deleted, Found, SearchRequest
from cli.settings import api_key
from core.errors import NotFoundError
from core.types import JSONObject
from sightline.answers import Gallery
from sightline.call import check_address
from sightline.client import Client
from sightline.retries import RetryRule

if TYPE_CHECKING:
    from cli.adding import AddRequest

_QUESTION = RetryRule(attempts=4)
"""A person waits: about 3 s until a server that is not there is reported."""
_PATIENT = RetryRule(attempts=10)
"""An ``add`` of hours outlives the restart of a server: about 2 minutes."""


def open_client(url: str, retries: RetryRule | None = None) -> Client:
    """Return a client with the key of the environment; close it.

    Raises:
        UsageError: ``url`` is no address.
    """
    return Client(url, api_key=api_key(), retries=retries or _QUESTION)


class ServedGallery:
    """Asks a server; each question has its own connection."""

    def __init__(self, url: str) -> None:
        """Keep the address.

        Raises:
            UsageError: it is none.
        """
        self._url = check_address(url)

    @property
    def where(self) -> str:
        """The address."""
        return self._url

    def search(self, request: SearchRequest) -> Found:
        """Search.

        Raises:
            SightlineError: the query cannot be answered, or the server not be reached.
        """
        from encoders.decoding import read_image_file

        images = [read_image_file(path) for path in request.images]
        with open_client(self._url) as client:
            answer = client.search(
                request.text or None,
                images=images,
                k=request.k,
                filter=request.filter,
                cursor=request.cursor,
                min_confidence=request.min_confidence,
                mode=request.mode,
                explain=request.explain,
            )
        return Found(answer)

    def delete(
        self, ids: tuple[str, ...], filter: JSONObject | None, *, confirm: Callable[[int], None]
    ) -> Deleted:
        """Delete items.

        Raises:
            SightlineError: the server cannot be reached, or refuses.
        """
        with open_client(self._url) as client:
            confirm(_count(client, ids, filter))
            deleted = client.items.delete(ids if filter is None else None, filter=filter)
            return Deleted(deleted, client.gallery().count)

    def add(self, request: AddRequest, *, report: Callable[[Added], None]) -> None:
        """Read the sources here and send them.

        Raises:
            SightlineError: a source cannot be read, or the server not be reached.
        """
        from cli.served_adding import add_to_server

        with open_client(self._url) as client:
            # Before anything is read: a wrong address or key should be said at once.
            model = client.gallery().encoder_id
        with open_client(self._url, _PATIENT) as client:
            summary = add_to_server(client, request)
            report(Added(summary, model, client.gallery().count))

    def overview(self) -> Gallery:
        """Return what the server holds.

        Raises:
            SightlineError: the server cannot be reached.
        """
        with open_client(self._url) as client:
            return client.gallery()


def _count(client: Client, ids: tuple[str, ...], filter: JSONObject | None) -> int:
    """Return how many items a deletion would meet; by filter they are counted page by page."""
    if filter is not None:
        return sum(1 for _ in client.items.walk(filter=filter, page=1000))
    return sum(_exists(client, name) for name in dict.fromkeys(ids))


def _exists(client: Client, id: str) -> bool:
    try:
        client.items.get(id)
    except NotFoundError:
        return False
    return True
