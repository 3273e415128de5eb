"""The metadata fields of a gallery, be it a folder on this machine or behind a server."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from cli.any_gallery import chosen_url
from cli.settings import default_gallery

if TYPE_CHECKING:
    from index.collection import Collection
    from sightline.answers import FieldUse


class AnyFields(Protocol):
    """Fields that commands list, index and forget."""

    def list(self) -> Sequence[FieldUse]:
        """Return the fields that items have, and which are indexed."""
        ...

    def add(self, name: str) -> bool:
        """Index a field, and return whether it was not.

        Raises:
            SightlineError: no name of a field, or the gallery cannot be written or reached.
        """
        ...

    def drop(self, name: str) -> None:
        """Forget the index of a field.

        Raises:
            NotFoundError: it is not indexed.
        """
        ...


def any_fields(*, gallery: Path | None, url: str | None) -> AnyFields:
    """Return the fields of the gallery at ``url``, else in the folder.

    Raises:
        UsageError: options that exclude each other, or no address.
    """
    address = chosen_url(gallery=gallery, url=url)
    if address is None:
        return _FolderFields(gallery or default_gallery())
    return _ServedFields(address)


class _FolderFields:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def list(self) -> Sequence[FieldUse]:
        """Return the fields that items have, and which are indexed."""
        from index.fields import field_uses
        from index.store import StoreReader
        from sightline.answers import FieldUse

        with closing(StoreReader(self._folder)) as store:
            return [FieldUse(use.name, use.items, use.indexed) for use in field_uses(store)]

    def add(self, name: str) -> bool:
        """Index a field, and return whether it was not."""
        from index.fields import IndexField

        with closing(self._open()) as collection:
            return collection.write(IndexField(name))

    def drop(self, name: str) -> None:
        """Forget the index of a field."""
        from index.fields import DropField

        with closing(self._open()) as collection:
            collection.write(DropField(name))

    def _open(self) -> Collection:
        """Open the collection for writing; no model is needed."""
        from index.binding import binding_of_folder
        from index.collection import Collection

        bound = binding_of_folder(self._folder)
        return Collection.open(self._folder, encoder_id=bound.encoder_id, dim=bound.dim)


class _ServedFields:
    def __init__(self, url: str) -> None:
        self._url = url

    def list(self) -> Sequence[FieldUse]:
        """Return the fields that items have, and which are indexed."""
        from cli.served_gallery import open_client

        with open_client(self._url) as client:
            return client.fields()

    def add(self, name: str) -> bool:
        """Index a field, and return whether it was not."""
        from cli.served_gallery import open_client

        with open_client(self._url) as client:
            return client.index_field(name)

    def drop(self, name: str) -> None:
        """Forget the index of a field."""
        from cli.served_gallery import open_client

        with open_client(self._url) as client:
            client.drop_field(name)
