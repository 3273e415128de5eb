"""From the body of a search request to a query, and from hits to the answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from core.errors import QueryError, SightlineError
from core.timing import timed
from core.types import JSONObject, JSONValue
from core.web_address import is_url
from index.filters import parse_filter
from index.items import TermContribution
from index.query import MOST_TERMS, Query, Term, parse_query
from service.access import check_count, check_text
from service.engine import Engine
from service.errors import out_of_range
from service.image_sources import embed_images
from service.item_links import picture_fields
from service.query_vectors import query_vector
from service.remote_images import Fetched
from service.schemas import QueryTerm, SearchRequest
from service.uploads import decode_base64_image

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
    with timed("search"):
        found = engine.gallery.search(query)
    hits: list[JSONValue] = [
        {
            "id": hit.id,
            "score": round(hit.score, _DIGITS),
            "confidence": None if hit.confidence is None else round(hit.confidence, _DIGITS),
            "caption": hit.caption,
            "metadata": hit.metadata,
            **picture_fields(engine.gallery, hit),
            "terms": _contributions(hit.terms, terms),
            "ranks": None if hit.ranks is None else asdict(hit.ranks),
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
    fetched = engine.remote_images.fetch(_urls(fields))
    limit_chars = engine.settings.max_text_chars
    terms: list[Term] = []
    if isinstance(fields.query, str):
        check_text(fields.query, limit_chars=limit_chars, param="query")
        terms += parse_query(fields.query) if fields.query.strip() else ()
    else:
        terms += [
            _term(engine, term, f"query[{place}]", fetched)
            for place, term in enumerate(fields.query or [])
        ]
    if fields.text is not None and fields.text.strip():
        check_text(fields.text, limit_chars=limit_chars, param="text")
        terms.append(Term(text=fields.text))
    if fields.image is not None:
        terms.append(Term(image=_image(engine, fields.image, "image", fetched)))
    if fields.image_url is not None:
        terms.append(Term(image=_loaded(fetched["image_url"])))
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


def _urls(fields: SearchRequest) -> dict[str, str]:
    """Return the addresses of a request by where they stand in it."""
    named = {"image": fields.image, "image_url": fields.image_url}
    if not isinstance(fields.query, str):
        for place, term in enumerate(fields.query or []):
            named[f"query[{place}].image"] = term.image
            named[f"query[{place}].image_url"] = term.image_url
    return {
        param: text
        for param, text in named.items()
        if text is not None and (param.endswith("image_url") or is_url(text))
    }


def _term(engine: Engine, term: QueryTerm, param: str, fetched: Fetched) -> Term:
    kinds = {
        "text": term.text,
        "image": term.image,
        "image_id": term.image_id,
        "image_url": term.image_url,
        "vector": term.vector,
    }
    given = [name for name, value in kinds.items() if value is not None]
    if len(given) != 1:
        raise QueryError(
            f"{param} has {', '.join(given) or 'nothing'}; a term is exactly one of text, image, "
            "image_id, image_url and vector",
            param=param,
        )
    if term.vector is not None:
        return Term(
            vector=query_vector(engine, term.vector, param=f"{param}.vector"), weight=term.weight
        )
    if term.image is not None:
        return Term(image=_image(engine, term.image, f"{param}.image", fetched), weight=term.weight)
    if term.image_url is not None:
        return Term(image=_loaded(fetched[f"{param}.image_url"]), weight=term.weight)
    if term.image_id is not None:
        return Term(image_id=term.image_id, weight=term.weight)
    text = term.text or ""
    check_text(text, limit_chars=engine.settings.max_text_chars, param=f"{param}.text")
    return Term(text=text, weight=term.weight)


def _image(engine: Engine, text: str, param: str, fetched: Fetched) -> bytes:
    if param in fetched:
        return _loaded(fetched[param])
    return decode_base64_image(text, param=param, limit_bytes=engine.settings.max_image_bytes)


def _loaded(found: bytes | SightlineError) -> bytes:
    if isinstance(found, SightlineError):
        raise found
    return found


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
        embedded[place] = Term(vector=vector, weight=terms[place].weight, embedded_image=True)
    return embedded
