"""clip-retrieval's questions, answered by the gallery: its ``ClipClient`` and its front end.

An id of that wire is a number: the row of the item in the collection. The similarity is the score.
What its server answers without its optional models (safety, violence, aesthetics) is the answer
here too: the fields that ask for them change nothing.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence

from core.errors import NotFoundError, QueryError, SightlineError, UsageError
from core.timing import timed
from core.types import FloatArray, JSONObject, JSONValue
from index.filter_sql import SQLCondition
from index.items import Hit, Item
from index.near_duplicates import near_duplicates
from index.query import MOST_K, Query, Term
from service.access import check_count, check_text
from service.engine import Engine
from service.errors import out_of_range
from service.image_sources import ImageSource, embed_sources
from service.query_vectors import query_vector
from service.wire_schemas import KnnRequest, RowsRequest

MOST_RESULT_IDS = 10_000
"""What its front end asks for when a person downloads the results."""
MOST_PICTURES = 200
"""Pictures of one answer; a page of its front end has 40."""
DUPLICATE_COSINE = 0.94
"""Least cosine of two results that ``deduplicate`` takes for one picture, as in its server."""


def index_name(engine: Engine) -> str:
    """Return the one name of ``/indices-list``: that of the gallery's folder."""
    return engine.settings.gallery.resolve().name


def knn(engine: Engine, fields: KnnRequest) -> list[JSONValue]:
    """Return the nearest items; the first ``num_images`` with metadata and picture.

    Raises:
        SightlineError: the query cannot be answered; the message says what to change.
    """
    _check(engine, fields)
    ids = fields.num_images if fields.num_result_ids is None else fields.num_result_ids
    with timed("search"):
        hits = _nearest(engine, _term(engine, fields), max(ids, fields.num_images))
    if fields.deduplicate:
        hits = _without_duplicates(engine, hits)
    hits = hits[:ids]
    rows = engine.gallery.collection.store.rows_of_ids([hit.id for hit in hits])
    # An item that was deleted since is no result.
    hits = [hit for hit in hits if hit.id in rows]
    shown = hits[: fields.num_images]
    described = _described(engine, [(hit.id, hit.caption, hit.metadata) for hit in shown])
    described += [{} for _ in hits[fields.num_images :]]
    return [
        {**found, "id": rows[hit.id], "similarity": hit.score}
        for hit, found in zip(hits, described, strict=True)
    ]


def metadata_of_rows(engine: Engine, fields: RowsRequest) -> list[JSONValue]:
    """Return caption, metadata and picture of the rows that exist, in the order asked for.

    Raises:
        NotFoundError: another index.
        UsageError: too many ids.
    """
    _check_index(engine, fields.indice_name)
    check_count(len(fields.ids), limit=engine.settings.max_k, what="ids", param="ids")
    items: dict[int, Item] = engine.gallery.collection.store.items_of_rows(fields.ids)
    known = [row_id for row_id in fields.ids if row_id in items]
    found = [(items[row].id, items[row].caption, items[row].metadata) for row in known]
    return [
        {"id": row_id, "metadata": metadata}
        for row_id, metadata in zip(known, _described(engine, found), strict=True)
    ]


def _check(engine: Engine, fields: KnnRequest) -> None:
    _check_index(engine, fields.indice_name)
    if fields.modality == "text":
        raise UsageError(
            "modality 'text' needs an index of captions, and this service has one of images; "
            "send modality 'image'",
            param="modality",
        )
    if fields.use_mclip:
        raise UsageError(
            "use_mclip needs a second text model, and this service has one model; send false, and "
            "serve a multilingual model instead",
            param="use_mclip",
        )
    for param in ("num_images", "num_result_ids"):
        count = getattr(fields, param)
        if count is not None and count > MOST_RESULT_IDS:
            raise out_of_range(f"{param} = {count}, the most is {MOST_RESULT_IDS}", param=param)


def _check_index(engine: Engine, name: str | None) -> None:
    if name not in {None, "", index_name(engine)}:
        raise NotFoundError(
            f"there is no index {str(name)[:100]!r}; this service has {index_name(engine)!r}",
            param="indice_name",
        )


def _term(engine: Engine, fields: KnnRequest) -> Term:
    """Return the first that is given of text, image, image_url and embedding_input."""
    if fields.text:
        check_text(fields.text, limit_chars=engine.settings.max_text_chars, param="text")
        return Term(text=fields.text)
    if fields.image:
        return Term(vector=_image_vector(engine, fields.image, "image"))
    if fields.image_url:
        return Term(vector=_image_vector(engine, fields.image_url, "image_url"))
    if fields.embedding_input:
        return Term(vector=query_vector(engine, fields.embedding_input, param="embedding_input"))
    raise QueryError(
        "the request is empty; send one of text, image, image_url and embedding_input",
        param="text",
    )


def _image_vector(engine: Engine, image: str, param: str) -> FloatArray:
    (vector,) = embed_sources(engine, [ImageSource(param, base64=image)])
    if isinstance(vector, SightlineError):
        vector.param = param
        raise vector
    return vector


def _nearest(engine: Engine, term: Term, count: int) -> list[Hit]:
    """Return the best items; more than one page of the gallery is read page by page."""
    hits: list[Hit] = []
    cursor: str | None = None
    while len(hits) < count:
        k = min(MOST_K, count - len(hits))
        page = engine.gallery.search(Query(terms=(term,), k=k, cursor=cursor))
        hits += page.hits
        cursor = page.cursor
        if cursor is None:
            break
    return hits


def _without_duplicates(engine: Engine, hits: Sequence[Hit]) -> list[Hit]:
    """Keep the best hit of each group of pictures that look alike."""
    collection = engine.gallery.collection
    chosen = json.dumps([hit.id for hit in hits])
    groups = near_duplicates(
        collection.store,
        dim=engine.encoder.dim,
        threshold=DUPLICATE_COSINE,
        condition=SQLCondition("id IN (SELECT value FROM json_each(?))", (chosen,)),
    )
    group_of = {item.id: place for place, group in enumerate(groups) for item in group.items}
    kept: list[Hit] = []
    seen: set[int] = set()
    for hit in hits:
        group = group_of.get(hit.id)
        if group is None or group not in seen:
            kept.append(hit)
        if group is not None:
            seen.add(group)
    return kept


def _described(
    engine: Engine, items: Sequence[tuple[str, str, JSONObject]]
) -> list[dict[str, JSONValue]]:
    """Return metadata, caption and picture of items given as id, caption and metadata."""
    names = [name for name, _, _ in items[:MOST_PICTURES]]
    pictures = engine.decoding.map(engine.gallery.thumbnail, names)
    described: list[dict[str, JSONValue]] = []
    for place, (_, caption, metadata) in enumerate(items):
        found: dict[str, JSONValue] = {**metadata, "caption": caption}
        if place < len(pictures) and isinstance(picture := pictures[place], bytes):
            found["image"] = base64.b64encode(picture).decode()
        described.append(found)
    return described
