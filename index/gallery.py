"""Galleries: an encoder and a collection; pictures go in, ranked pictures come out.

# N = pictures, T = terms, D = embedding dimension, S = image size of the model
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Self, TypeAlias

from core.errors import QueryError, SightlineError
from core.types import FloatArray
from encoders.decoding import DEFAULT_LIMITS, DecodeLimits, ImageDecoder, decode_image
from encoders.encoder import Encoder
from index.adding import (
    AddResult,
    NewImage,
    PreparedImage,
    default_id,
    moved_id,
    new_item,
    prepare_image,
)
from index.collection import Collection
from index.combining import combine, contributions
from index.confidence import rated_kind, with_confidence
from index.embedding import embed_images, embed_terms
from index.filters import Filter
from index.items import Item, NewItem, SearchResult, Status
from index.locks import ReadWriteLock
from index.media import MediaStore
from index.observing import IndexObserver
from index.query import Query, Term
from index.receipts import Receipt, receipt_of
from index.thumbnails import THUMBNAIL_SIDE, Shape, thumbnail_bytes

__all__ = ["AddResult", "Gallery", "NewImage"]

Vectors: TypeAlias = Mapping[str, FloatArray | SightlineError]
"""The unit vector (D,) of a content, by its digest, or why it has none."""
EMPTY: Vectors = MappingProxyType({})


class Gallery:
    """What a user adds images to and searches.

    Several threads may use a gallery if its encoder may be called by several.
    """

    def __init__(
        self,
        folder: Path,
        encoder: Encoder,
        collection: Collection,
        *,
        limits: DecodeLimits,
        decode: ImageDecoder = decode_image,
    ) -> None:
        """Put the parts together; use :meth:`open`."""
        self.folder = folder
        self.encoder = encoder
        self.collection = collection
        self.limits = limits
        self.decode = decode
        self._media = MediaStore(folder)
        # Adding shares it, deleting holds it alone: no file goes while an item comes to need it.
        self._files = ReadWriteLock()

    @classmethod
    def open(
        cls,
        folder: Path,
        encoder: Encoder,
        *,
        limits: DecodeLimits = DEFAULT_LIMITS,
        decode: ImageDecoder = decode_image,
        model: str | None = None,
        read_only: bool = False,
        observer: IndexObserver | None = None,
    ) -> Self:
        """Open a gallery, or make it where there is none.

        Args:
            folder: where it lies.
            encoder: makes every embedding of it.
            limits: what a picture may cost.
            decode: decodes pictures that are added or shown.
            model: path or name the encoder was loaded by, recorded for later commands.
            read_only: open an existing gallery beside the process that writes it.
            observer: told of commits and merges.

        Raises:
            EncoderMismatchError: it holds vectors of another encoder.
            ConflictError: another process is writing it.
            NotFoundError: ``read_only``, and there is none.
            StorageError: it cannot be read or written.
        """
        collection = Collection.open(
            folder,
            encoder_id=encoder.encoder_id,
            dim=encoder.dim,
            model=model,
            read_only=read_only,
            observer=observer,
        )
        return cls(folder, encoder, collection, limits=limits, decode=decode)

    def add(self, images: Sequence[NewImage]) -> list[AddResult]:
        """Add pictures; return one result each, in order. A bad one harms no neighbour.

        Raises:
            StorageFullError: the disk is full; no item was stored.
            StorageError: the write failed.
        """
        return self.store([self.prepare(image) for image in images])

    def prepare(self, image: NewImage) -> PreparedImage | AddResult:
        """Decode and resize one picture; any number of threads may call this ahead of ``store``."""
        return prepare_image(
            image,
            preprocessing=self.encoder.preprocessing,
            limits=self.limits,
            decode=self.decode,
        )

    def embed(
        self,
        prepared: Sequence[PreparedImage | AddResult],
        *,
        known: Vectors = EMPTY,
    ) -> Vectors:
        """Return the vector of each content, by digest, or why it has none.

        A content is embedded once, ever: the vectors of stored items and of ``known`` are taken
        from there. One thread at a time may call this, while another stores.

        Raises:
            StorageError: the gallery cannot be read.
        """
        images = {image.digest: image for image in prepared if isinstance(image, PreparedImage)}
        found = {digest: known[digest] for digest in images if digest in known}
        asked = [digest for digest in images if digest not in found]
        same = self.collection.store.items_of_digests(asked)
        stored = self.collection.find_vectors([item.id for item in same])
        found.update({item.digest: stored[item.id] for item in same if item.id in stored})
        missing = [image for digest, image in images.items() if digest not in found]
        made = embed_images(self.encoder, [image.pixels_SS3 for image in missing])
        found.update(zip([image.digest for image in missing], made, strict=True))
        return found

    def store(
        self,
        prepared: Sequence[PreparedImage | AddResult],
        *,
        vectors: Vectors | None = None,
        receipt: Callable[[list[AddResult]], Receipt] | None = None,
    ) -> list[AddResult]:
        """Embed and store prepared pictures; results of bad ones are passed through in order.

        ``vectors`` are what :meth:`embed` returned for them, where that was asked ahead.
        ``receipt`` is made of the results and kept in the transaction that stores the items; where
        nothing is stored, none is kept.

        Raises:
            StorageFullError: the disk is full; no item was stored.
            StorageError: the write failed.
        """
        good = [image for image in prepared if isinstance(image, PreparedImage)]

        def results(stored: Sequence[AddResult]) -> list[AddResult]:
            rest = iter(stored)
            return [image if isinstance(image, AddResult) else next(rest) for image in prepared]

        keep = receipt_of(results, receipt)
        return results(
            self._store_good(good, self.embed(good) if vectors is None else vectors, keep)
        )

    def search(self, query: Query) -> SearchResult:
        """Return one page of hits, best first.

        Raises:
            QueryError: a query that cannot be answered.
            NotFoundError: a term names an item that does not exist.
            ImageError: a term's picture cannot be decoded.
        """
        calibration = self.encoder.calibration
        kind = rated_kind(query, calibration)
        if query.explain and query.mode != "vector":
            raise QueryError(f"explain works in mode vector, not {query.mode}", param="explain")
        if query.mode == "keyword":
            return self._page(query, None, query.terms)
        units_TD = embed_terms(
            self.encoder, query.terms, vectors_of=self.collection.vectors, limits=self.limits
        )
        query_D, length = combine(query.terms, units_TD)
        words = [term for term in query.terms if term.text is not None]
        found = self._page(query, query_D, words)
        if kind is not None and calibration is not None:
            found = with_confidence(
                found,
                query_D,
                kind=kind,
                calibration=calibration,
                least=query.min_confidence,
            )
        if not query.explain:
            return found
        hits_KD = self.collection.vectors([hit.id for hit in found.hits])
        shares = contributions(query.terms, units_TD, length, hits_KD)
        hits = tuple(
            dataclasses.replace(hit, terms=terms)
            for hit, terms in zip(found.hits, shares, strict=True)
        )
        return dataclasses.replace(found, hits=hits)

    def item(self, id: str) -> Item:
        """Return an item.

        Raises:
            NotFoundError: there is no such item.
        """
        return self.collection.get(id)

    def image(self, id: str) -> bytes:
        """Return the bytes of an item's picture, as they were added.

        Raises:
            NotFoundError: there is no such item, or its file is gone or has changed.
        """
        return self._media.image(self.item(id))

    def thumbnail(self, id: str, *, side: int = THUMBNAIL_SIDE) -> bytes:
        """Return an item's picture as a JPEG of at most ``side`` pixels a side.

        ``side`` is one of ``THUMBNAIL_SIDES``; each size is made once and kept.

        Raises:
            NotFoundError: there is no such item, or its file is gone or has changed.
        """
        item = self.item(id)
        found = self._media.thumbnail(item, side=side)
        if found is None:
            data = self._media.image(item)
            found = thumbnail_bytes(self.decode(data, self.limits, min_side=side), side=side)
            if self.collection.read_only:
                self._media.note_shape(item.digest, found, side=side)
            else:
                self._media.keep_thumbnail(item.digest, found, side=side)
        return found

    def thumbnail_shape(self, digest: str) -> Shape | None:
        """Return width and height of a content's thumbnail; ``None`` where none was made yet."""
        return self._media.thumbnail_shape(digest)

    def holds_image(self, digest: str) -> bool:
        """Return whether the gallery keeps the bytes itself."""
        return self._media.holds_image(digest)

    def delete(self, ids: Sequence[str]) -> int:
        """Delete items and the files that only they needed; return how many items there were."""
        digests = [item.digest for item in self.collection.find(ids).values()]
        deleted = self.collection.delete(ids)
        self._forget_files(digests)
        return deleted

    def delete_where(self, filter: Filter) -> int:
        """Delete the items that satisfy the filter; return how many there were."""
        deleted = 0
        while True:
            page = self.collection.scroll(filter=filter, limit=1000)
            deleted += self.delete([item.id for item in page.items])
            if page.cursor is None:
                return deleted

    def drop_strays(self) -> list[Path]:
        """Delete kept pictures and thumbnails that no item has; return what they were."""
        with self._files.writing():
            strays = self._media.strays(self._media.files(), self.collection.store.digests())
            for path in strays:
                path.unlink(missing_ok=True)
        return strays

    def close(self) -> None:
        """Close the collection; the encoder stays open."""
        self.collection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _store_good(
        self,
        images: Sequence[PreparedImage],
        vectors: Vectors,
        keep: Callable[[list[AddResult]], Receipt] | None,
    ) -> list[AddResult]:
        same = self._of_same_content(images)
        ids = self._ids_of(images, same)
        stored = self.collection.find(ids)
        embedded = [vectors[image.digest] for image in images]
        results = [
            AddResult(name, Status.ERROR, vector if isinstance(vector, SightlineError) else None)
            for name, vector in zip(ids, embedded, strict=True)
        ]
        items: dict[int, NewItem] = {}
        for place, vector in enumerate(embedded):
            if not isinstance(vector, SightlineError):
                name = ids[place]
                new = new_item(images[place], id=name, vector_D=vector, stored=stored.get(name))
                items[place] = new
                # A second copy within these pictures meets the first as if it were stored.
                stored[name] = Item(name, new.caption, new.metadata, new.digest, new.source)

        def completed(statuses: Sequence[Status]) -> list[AddResult]:
            stored = dict(zip(items, statuses, strict=True))
            return [
                AddResult(ids[place], stored[place]) if place in stored else result
                for place, result in enumerate(results)
            ]

        with self._files.reading():
            for place in items:
                self._keep_files(images[place])
            statuses = self.collection.upsert(
                list(items.values()), receipt=receipt_of(completed, keep)
            )
        return completed(statuses)

    def _of_same_content(self, images: Sequence[PreparedImage]) -> dict[str, list[Item]]:
        """Return the stored items of each picture's content, by digest."""
        same: dict[str, list[Item]] = {image.digest: [] for image in images}
        for item in self.collection.store.items_of_digests(list(same)):
            same[item.digest].append(item)
        return same

    def _ids_of(
        self, images: Sequence[PreparedImage], same: Mapping[str, Sequence[Item]]
    ) -> list[str]:
        """Return the id of each picture; no two contents among them share one by accident."""
        asked = {image.id: image.digest for image in images if image.id is not None}

        def taken(names: list[str]) -> dict[str, str]:
            stored = {name: item.digest for name, item in self.collection.find(names).items()}
            return {**stored, **{name: asked[name] for name in names if name in asked}}

        return [
            image.id
            or moved_id(image, same[image.digest], asked)
            or default_id(image.digest, taken)
            for image in images
        ]

    def _keep_files(self, image: PreparedImage) -> None:
        self._media.keep_thumbnail(image.digest, image.thumbnail)
        if image.kept is not None:
            self._media.keep_image(image.digest, image.kept)

    def _forget_files(self, digests: Sequence[str]) -> None:
        with self._files.writing():
            self._media.forget(self.collection.unreferenced(digests))

    def _page(
        self, query: Query, query_D: FloatArray | None, words: Sequence[Term]
    ) -> SearchResult:
        return self.collection.search(
            query_D,
            k=query.k,
            filter=query.filter,
            cursor=query.cursor,
            mode=query.mode,
            words=words,
        )
