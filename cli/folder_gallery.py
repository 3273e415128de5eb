"""A gallery in a folder of this machine, as commands work with it."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from cli.any_gallery import Added, Deleted, Found, SearchRequest
from cli.opening import chosen_model, open_encoder, open_gallery, require_gallery
from core.types import JSONObject
from sightline.answers import Hit, Ranks, SearchAnswer, TermShare

if TYPE_CHECKING:
    from cli.adding import AddRequest
    from index.filters import Filter
    from index.gallery import Gallery
    from index.items import Hit as FolderHit


class FolderGallery:
    """Opens model and gallery for each question, and closes them."""

    def __init__(self, folder: Path, model: str | None) -> None:
        """Name the folder and, where it was given, the model."""
        self._folder, self._model = folder, model

    @property
    def where(self) -> str:
        """The folder."""
        return str(self._folder)

    def search(self, request: SearchRequest) -> Found:
        """Search, beside the process that writes the gallery.

        Raises:
            SightlineError: the query cannot be answered, or the gallery not be read.
        """
        from encoders.decoding import read_image_file
        from index.filters import parse_filter
        from index.query import Query, Term, parse_query

        terms = parse_query(request.text) if request.text.strip() else ()
        terms += tuple(Term(image=read_image_file(path)) for path in request.images)
        query = Query(
            terms,
            k=request.k,
            filter=None if request.filter is None else parse_filter(request.filter),
            cursor=request.cursor,
            min_confidence=request.min_confidence,
            mode=request.mode,
            explain=request.explain,
        )
        require_gallery(self._folder)
        with (
            closing(open_encoder(self._model, self._folder)) as encoder,
            open_gallery(self._folder, encoder, read_only=True) as opened,
        ):
            started = time.perf_counter()
            found = opened.search(query)
            took_ms = round((time.perf_counter() - started) * 1000, 3)
            items = opened.collection.find([hit.id for hit in found.hits])
        labels = tuple(term.label for term in terms)
        hits = tuple(_hit(hit, labels) for hit in found.hits)
        answer = SearchAnswer(encoder.encoder_id, found.plan, took_ms, found.cursor, hits)
        return Found(answer, {item.id: item.source for item in items.values() if item.source})

    def delete(
        self, ids: tuple[str, ...], filter: JSONObject | None, *, confirm: Callable[[int], None]
    ) -> Deleted:
        """Delete items with the files that only they needed.

        Raises:
            SightlineError: the gallery cannot be written.
        """
        from index.filters import parse_filter

        chosen = None if filter is None else parse_filter(filter)
        require_gallery(self._folder)
        with (
            closing(open_encoder(self._model, self._folder)) as encoder,
            open_gallery(self._folder, encoder) as opened,
        ):
            confirm(_count(opened, ids, chosen))
            deleted = opened.delete(ids) if chosen is None else opened.delete_where(chosen)
            return Deleted(deleted, opened.collection.count())

    def add(self, request: AddRequest, *, report: Callable[[Added], None]) -> None:
        """Add files, report, and where it was asked for follow what changes in their folders.

        Raises:
            SightlineError: a source cannot be read, or the gallery not be written.
        """
        from cli.adding import add_gathered, gather_for
        from cli.watching import following

        model = chosen_model(self._model, self._folder)
        with (
            closing(open_encoder(self._model, self._folder)) as encoder,
            open_gallery(self._folder, encoder, model=model) as opened,
            following(request.paths if request.watch else (), outside=self._folder) as changes,
        ):
            summary = add_gathered(
                opened,
                gather_for(request, opened),
                copy=request.copy,
                threads=request.threads,
                retry_failed=request.retry_failed,
            )
            report(Added(summary, encoder.encoder_id, opened.collection.count()))
            if changes is not None:
                changes.apply(opened, request.reading, copy=request.copy, threads=request.threads)


def _count(gallery: Gallery, ids: tuple[str, ...], chosen: Filter | None) -> int:
    if chosen is None:
        return len(gallery.collection.find(ids))
    return gallery.collection.count(chosen)


def _hit(hit: FolderHit, labels: tuple[str, ...]) -> Hit:
    terms = None
    if hit.terms is not None:
        terms = tuple(
            TermShare(label, term.weight, term.cosine, term.contribution)
            for label, term in zip(labels, hit.terms, strict=True)
        )
    ranks = None if hit.ranks is None else Ranks(hit.ranks.vector, hit.ranks.keyword)
    return Hit(hit.id, hit.score, hit.confidence, hit.caption, hit.metadata, terms, ranks)
