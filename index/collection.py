"""Collections: items and their vectors, durable and searchable, bound to one encoder.

# N = items, D = embedding dimension

SQLite is the record and the vector index is derived from it. A write is acknowledged when it is
committed to the disk and visible to every search of this process that begins later.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np

from core.artifacts import make_folder
from core.errors import ConflictError, NotFoundError, StorageError
from core.types import FloatArray, JSONObject
from index.binding import Binding, bind, check_binding, read_binding
from index.changes import Change, Delete, Outcome, Update, Upsert
from index.cursor import Cursor, binding_of, check_cursor, decode_cursor
from index.filter_sql import SQLCondition
from index.filters import Filter, filter_json
from index.items import (
    Item,
    NewItem,
    Page,
    SearchResult,
    Status,
    check_caption,
    check_id,
    encode_metadata,
)
from index.live import ChangeWatch, LiveIndex
from index.locks import WriterLock
from index.merging import Merger
from index.observing import IndexObserver
from index.query import Mode, Term, check_k
from index.receipts import Receipt, WithReceipt
from index.schema import connect_writer, storage_errors
from index.searcher import Searcher
from index.segmented_index import SegmentedIndex
from index.snapshots import recorded_files, restore_newest, sweep
from index.store import KnownFile, StoreReader
from index.stored_plan import plan_for
from index.vectors import checked_vector, unit_vector
from index.writer import Writer

ResultT = TypeVar("ResultT")


class Collection:
    """The durable store of items and their vectors, with a searchable index over it.

    Every method may be called from any thread. One process writes a collection at a time; others
    open it with ``read_only`` and follow what it commits.
    """

    def __init__(
        self,
        folder: Path,
        binding: Binding,
        *,
        read_only: bool,
        observer: IndexObserver | None = None,
    ) -> None:
        """Open the parts; use :meth:`open`."""
        self.folder = folder
        self._opened = contextlib.ExitStack()
        with contextlib.ExitStack() as opening:
            connection = None
            if not read_only:
                with storage_errors(folder):
                    make_folder(folder)
                opening.callback(WriterLock(folder).release)
                connection = opening.enter_context(contextlib.closing(connect_writer(folder)))
                bind(connection, binding, folder=folder)
            self._store = StoreReader(folder)
            opening.callback(self._store.close)
            self.binding = read_binding(self._store)
            check_binding(self.binding, binding, folder=folder)
            self.index = SegmentedIndex(
                binding.dim, plan_for=lambda count: plan_for(self._store, count, dim=binding.dim)
            )
            opening.callback(self.index.close)
            self._live = LiveIndex(self.index, self._store, dim=binding.dim)
            self._watch = opening.enter_context(contextlib.closing(ChangeWatch(folder)))
            self._refreshing = threading.Lock()
            self._generation = 0
            with self._store.frozen():
                self._catch_up()
            if connection is not None:
                sweep(folder, recorded_files(self._store))
            self._writer: Writer | None = None
            self._merger: Merger | None = None
            if connection is not None:
                self._writer = Writer(
                    connection, self._store.path, self._publish, observer=observer
                )
                opening.callback(self._writer.close)
                self._merger = Merger(
                    folder,
                    self.index,
                    self._writer,
                    encoder_id=binding.encoder_id,
                    generation=self._generation,
                    observer=observer,
                )
                opening.callback(self._merger.close)
            self._opened = opening.pop_all()
        self._searcher = Searcher(self._live, self._store, settled=self.settled)

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        encoder_id: str,
        dim: int,
        model: str | None = None,
        read_only: bool = False,
        observer: IndexObserver | None = None,
    ) -> Self:
        """Open a collection, or make it where there is none.

        Args:
            folder: the gallery folder.
            encoder_id: of the encoder whose vectors it holds.
            dim: D.
            model: path or name of the model, recorded for later commands; ``None`` leaves what is
                recorded.
            read_only: open an existing collection beside its writer, which may be another process.
            observer: told of commits and merges.

        Raises:
            EncoderMismatchError: it holds vectors of another encoder.
            ConflictError: another process is writing it.
            NotFoundError: ``read_only``, and there is none.
            StorageError: it cannot be read or written.
        """
        binding = Binding(encoder_id, dim, model)
        return cls(folder, binding, read_only=read_only, observer=observer)

    @property
    def damaged(self) -> tuple[str, ...]:
        """Ids of items whose vector is damaged: kept, but not found until they are added again."""
        return tuple(self._live.damaged.values())

    @property
    def read_only(self) -> bool:
        """Whether writes are refused."""
        return self._writer is None

    @property
    def store(self) -> StoreReader:
        """The record, for questions that have no method here."""
        return self._store

    @property
    def generation(self) -> int:
        """Number of the base in use, 0 while there is none."""
        return self._generation if self._merger is None else self._merger.generation

    @property
    def is_merging(self) -> bool:
        """Whether a new base of the index is being made."""
        return self._merger is not None and self._merger.is_merging

    @property
    def writes_waiting(self) -> int:
        """How many changes wait for their commit; 0 where nothing is written."""
        return 0 if self._writer is None else self._writer.waiting

    def write(self, change: Change[ResultT]) -> ResultT:
        """Run a change that has no method here; return when it is durable.

        Raises:
            ConflictError: the collection was opened for reading only.
            StorageError: the write failed.
        """
        return self._writable().do(change)

    def upsert(
        self,
        items: Sequence[NewItem],
        *,
        receipt: Callable[[list[Status]], Receipt] | None = None,
    ) -> list[Status]:
        """Create or replace items in one transaction; return one status each, in order.

        ``receipt`` is made of the statuses and kept in the same transaction.

        Raises:
            UsageError: an id, caption or metadata that cannot be stored; nothing was stored.
            StorageError: a vector that is no embedding, or the write failed.
        """
        writer = self._writable()
        checked = [self._checked(item) for item in items]
        if not checked:
            return []
        change = Upsert(checked, texts=self._store.has_texts)
        return writer.do(change if receipt is None else WithReceipt(change, receipt))

    def update(
        self, id: str, *, caption: str | None = None, metadata: JSONObject | None = None
    ) -> None:
        """Change caption, metadata or both of one item.

        Raises:
            NotFoundError: there is no such item.
        """
        if caption is not None:
            check_caption(caption)
        if metadata is not None:
            encode_metadata(metadata)
        self._writable().do(Update(id, caption, metadata, texts=self._store.has_texts))

    def delete(self, ids: Sequence[str]) -> int:
        """Delete items; return how many there were."""
        chosen = json.dumps(list(ids))
        return self._delete(SQLCondition("id IN (SELECT value FROM json_each(?))", (chosen,)))

    def delete_where(self, filter: Filter) -> int:
        """Delete the items that satisfy the filter; return how many there were."""
        return self._delete(self._store.condition(filter))

    def get(self, id: str) -> Item:
        """Return one item.

        Raises:
            NotFoundError: there is no such item.
        """
        return self.find([id]).get(id) or self._missing(id)

    def find(self, ids: Sequence[str]) -> dict[str, Item]:
        """Return the items that exist, by id."""
        return self._store.items(ids)

    def vectors(self, ids: Sequence[str]) -> FloatArray:
        """Return the embeddings (N, D) of items.

        Raises:
            NotFoundError: one of them does not exist.
            StorageError: the vector of one of them is damaged.
        """
        found = self.find_vectors(ids)
        for name in ids:
            if name not in found:
                self.get(name)
                raise StorageError(f"the vector of {name!r} is damaged; add its image again")
        rows = [found[name] for name in ids]
        return np.array(rows, np.float32).reshape(len(rows), self.binding.dim)

    def find_vectors(self, ids: Sequence[str]) -> dict[str, FloatArray]:
        """Return the embeddings of the items that exist and are whole, by id."""
        return self._store.vectors_of_ids(ids, dim=self.binding.dim)

    def known_files(self, paths: Sequence[str]) -> dict[str, KnownFile]:
        """Return what is recorded of files that were added before, by path."""
        return self._store.known_files(paths)

    def unreferenced(self, digests: Sequence[str]) -> list[str]:
        """Return the digests that no item has any more."""
        return self._store.unreferenced(digests)

    def count(self, filter: Filter | None = None) -> int:
        """Return the number of items, or of those that satisfy the filter."""
        return self._store.count(self._store.condition(filter))

    def search(
        self,
        query_D: FloatArray | None,
        *,
        k: int,
        filter: Filter | None = None,
        cursor: str | None = None,
        mode: Mode = "vector",
        words: Sequence[Term] = (),
    ) -> SearchResult:
        """Return the best ``k`` items: score descending, then id ascending.

        Args:
            query_D: the query vector, of any length but zero; ``None`` in keyword mode.
            k: hits of one page, 1 to 1000.
            filter: only items that satisfy it; all of them are looked at.
            cursor: of the previous page.
            mode: ``vector``, ``keyword`` or ``hybrid``.
            words: the text terms that the word modes look for.

        Raises:
            QueryError: k, vector, cursor or words that cannot be answered.
        """
        unit_D = None
        if mode != "keyword" and query_D is not None:
            unit_D = unit_vector(query_D, dim=self.binding.dim)
        if self.read_only and self._watch.changed():
            self._live.stale = True
        return self._searcher.search(unit_D, words, mode=mode, k=k, filter=filter, cursor=cursor)

    def scroll(
        self, *, filter: Filter | None = None, cursor: str | None = None, limit: int = 100
    ) -> Page:
        """Return items in order of their id.

        Raises:
            QueryError: limit or cursor that cannot be answered.
        """
        check_k(limit, name="limit")
        binding = binding_of(["scroll", filter_json(filter)])
        previous = None if cursor is None else decode_cursor(cursor)
        if previous is not None:
            check_cursor(previous, binding=binding, vector_D=None)
        after = "" if previous is None else previous.id
        condition = self._store.condition(filter)
        items = self._store.page(condition, after=after, limit=limit + 1)
        next_cursor = None
        if len(items) > limit:
            next_cursor = Cursor(binding, (), 0.0, items[limit - 1].id, 0).encode()
        return Page(tuple(items[:limit]), next_cursor)

    def snapshot(self) -> None:
        """Merge the index into a new base now, so that the next start need not read every vector.

        Raises:
            StorageError: it cannot be written; the collection is as good as before.
        """
        self._writable()
        assert self._merger is not None
        self._merger.merge()

    def close(self) -> None:
        """Finish queued writes, merge where it is worthwhile and quick, and let others write."""
        self._opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _publish(self, outcomes: Sequence[Outcome[Any]]) -> None:
        self._live.publish(outcomes)
        if self._merger is not None:
            self._merger.wake()

    def _catch_up(self) -> None:
        """Take the newest base where there is much to gain, then the rest from the store."""
        if not self.index.count() or self.index.wants_merge():
            self._generation = restore_newest(
                self.folder,
                self._store,
                self.index,
                encoder_id=self.binding.encoder_id,
                after=self._generation,
            )
        self._live.sync()

    @contextlib.contextmanager
    def settled(self) -> Iterator[None]:
        """Keep index and database equal while the calling thread looks at them."""
        if self._writer is None:
            with self._refreshing, self._store.frozen():
                self._catch_up()
                yield
            return
        with self._writer.publishing:
            if self._live.stale:
                self._live.sync()
            yield

    def _checked(self, item: NewItem) -> NewItem:
        check_id(item.id)
        check_caption(item.caption)
        encode_metadata(item.metadata)
        checked_vector(item.vector_D, dim=self.binding.dim, id=item.id)
        return item

    def _delete(self, condition: SQLCondition) -> int:
        return self._writable().do(Delete(condition, texts=self._store.has_texts))

    def _writable(self) -> Writer:
        if self._writer is None:
            raise ConflictError(f"{self.folder} was opened for reading only", code="read_only")
        return self._writer

    def _missing(self, id: str) -> Item:
        raise NotFoundError(f"there is no item {id!r}", param="id")
