"""From the body of a search request to a query, and from hits to the answer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.errors import QueryError, SightlineError
from core.types import FloatArray, JSONObject, JSONValue
from index.filters import parse_filter
from index.items import TermContribution
from index.query import MOST_TERMS, Query, Term, parse_query
from service.access import check_count, check_text
from service.engine import Engine
from service.errors import out_of_range
from service.image_sources import embed_images
from service.item_links import image_url, thumbnail_url
from service.schemas import QueryTerm, SearchRequest
from service.uploads import decode_base64_image, fetching_is_off

_DIGITS = 6


def search(engine: Engine, fields: SearchRequest, files: Sequence[bytes]) -> JSONObject:
    """Return the answer of ``/v1/search``, without the time it took.

    Raises:
        SightlineError: the query cannot be answered; the message says what to change.
    """
    settings = engine.settings
    if fields.k > settings.max_k:
        raise out_of_range(
            f"k = {fields.k}, the limit is {settings.max_k}; page on with the cursor", param="k"
        )
    terms = query_terms(engine, fields, files)
    check_count(len(terms), limit=MOST_TERMS, what="query terms", param="query")
    query = Query(
        terms=tuple(_embedded(engine, terms)),
        k=fields.k,
        filter=None if fields.filter is None else parse_filter(fields.filter),
        cursor=fields.cursor,
        min_confidence=fields.min_confidence,
        mode=fields.mode,
        explain=fields.explain,
    )
    with engine.metrics.timed("search"):
        found = engine.gallery.search(query)
    hits: list[JSONValue] = [
        {
            "id": hit.id,
            "score": round(hit.score, _DIGITS),
            "confidence": hit.confidence,
            "caption": hit.caption,
            "metadata": hit.metadata,
            "image_url": image_url(hit.id),
            "thumbnail_url": thumbnail_url(hit.id),
            "terms": _contributions(hit.terms, terms),
        }
        for hit in found.hits
    ]
    return {
        "model": engine.encoder.encoder_id,
        "plan": found.plan,
        "cursor": found.cursor,
        "hits": hits,
    }


def query_terms(engine: Engine, fields: SearchRequest, files: Sequence[bytes]) -> list[Term]:
    """Return the terms of a request, images still as bytes.

    Raises:
        QueryError: nothing to look for, or a term that is not exactly one thing.
    """
    if fields.image_url is not None:
        raise fetching_is_off("image_url")
    limit_chars = engine.settings.max_text_chars
    terms: list[Term] = []
    if isinstance(fields.query, str):
        check_text(fields.query, limit_chars=limit_chars, param="query")
        terms += parse_query(fields.query) if fields.query.strip() else ()
    else:
        terms += [
            _term(engine, term, f"query[{place}]") for place, term in enumerate(fields.query or [])
        ]
    if fields.text is not None and fields.text.strip():
        check_text(fields.text, limit_chars=limit_chars, param="text")
        terms.append(Term(text=fields.text))
    if fields.image is not None:
        terms.append(Term(image=_image(engine, fields.image, "image")))
    terms += [Term(image=data) for data in files]
    if not terms:
        raise QueryError(
            "the query is empty; send words in 'query', an image, or a list of terms",
            param="query",
        )
    return terms


def _contributions(
    parts: Sequence[TermContribution] | None, terms: Sequence[Term]
) -> list[JSONValue] | None:
    """Return what each term gave to a hit; images are named as such, not as their vectors."""
    if parts is None:
        return None
    return [
        {
            "term": term.label,
            "weight": part.weight,
            "cosine": round(part.cosine, _DIGITS),
            "contribution": round(part.contribution, _DIGITS),
        }
        for part, term in zip(parts, terms, strict=True)
    ]


def _term(engine: Engine, term: QueryTerm, param: str) -> Term:
    if term.image_url is not None:
        raise fetching_is_off(f"{param}.image_url")
    kinds = {
        "text": term.text,
        "image": term.image,
        "image_id": term.image_id,
        "vector": term.vector,
    }
    given = [name for name, value in kinds.items() if value is not None]
    if len(given) != 1:
        raise QueryError(
            f"{param} has {', '.join(given) or 'nothing'}; a term is exactly one of text, image, "
            "image_id and vector",
            param=param,
        )
    if term.vector is not None:
        return Term(vector=_vector(engine, term.vector, f"{param}.vector"), weight=term.weight)
    if term.image is not None:
        return Term(image=_image(engine, term.image, f"{param}.image"), weight=term.weight)
    if term.image_id is not None:
        return Term(image_id=term.image_id, weight=term.weight)
    text = term.text or ""
    check_text(text, limit_chars=engine.settings.max_text_chars, param=f"{param}.text")
    return Term(text=text, weight=term.weight)


def _vector(engine: Engine, values: list[float], param: str) -> FloatArray:
    if len(values) != engine.encoder.dim:
        raise out_of_range(
            f"{param} has {len(values)} numbers, the embeddings of {engine.encoder.name} have "
            f"{engine.encoder.dim}; embed with this model",
            param=param,
        )
    with np.errstate(over="ignore"):
        vector_D = np.asarray(values, np.float64).astype(np.float32)
    norm = float(np.linalg.norm(vector_D))
    if not np.isfinite(norm) or norm == 0.0:
        raise out_of_range(f"{param} is zero or not finite; send an embedding", param=param)
    return vector_D


def _image(engine: Engine, text: str, param: str) -> bytes:
    return decode_base64_image(text, param=param, limit_bytes=engine.settings.max_image_bytes)


def _embedded(engine: Engine, terms: Sequence[Term]) -> list[Term]:
    """Replace images by their vectors: decoding happens in the bounded pool, before any batch."""
    images = {place: term.image for place, term in enumerate(terms) if term.image is not None}
    check_count(len(images), limit=engine.settings.max_images, what="images", param="image")
    embedded = list(terms)
    vectors = embed_images(engine, list(images.values()))
    for place, vector in zip(images, vectors, strict=True):
        if isinstance(vector, SightlineError):
            vector.param = vector.param or "image"
            raise vector
        embedded[place] = Term(vector=vector, weight=terms[place].weight)
    return embedded
