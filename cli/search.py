"""``sightline search``: a gallery by text, image or both."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.any_gallery import Found, Mode, SearchRequest, any_gallery, url_option
from cli.output import note, print_json, print_table
from core.errors import QueryError
from core.types import JSONObject, JSONValue

if TYPE_CHECKING:
    from index.filters import Filter
    from sightline.answers import Hit

_DIGITS = 6
_CAPTION_CHARS = 60


@click.command(name="search")
@click.argument("query", nargs=-1)
@click.option(
    "--image", "images", multiple=True, type=click.Path(path_type=Path), help="Search by an image."
)
@click.option("--k", type=int, default=10, show_default=True, help="Number of hits, 1 to 1000.")
@click.option("--filter", "filter_text", help='JSON, for example: {"year": {"gte": 2020}}')
@click.option(
    "--mode",
    type=click.Choice(["vector", "keyword", "hybrid"]),
    default="vector",
    show_default=True,
    help="By meaning, by the words of captions and names, or both.",
)
@click.option("--cursor", help="Of an earlier answer, to go on.")
@click.option(
    "--min-confidence",
    type=click.FloatRange(0, 1),
    help="Least probability that a hit is relevant; the answer may be empty.",
)
@click.option(
    "--gallery", type=click.Path(path_type=Path), help="Folder of the gallery.  [default: gallery]"
)
@click.option("--model", help="Model folder or open_clip source.  [default: the gallery's]")
@url_option
@click.option("--explain", is_flag=True, help="Show what each term added to the score.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    *,
    query: tuple[str, ...],
    images: tuple[Path, ...],
    k: int,
    filter_text: str | None,
    mode: Mode,
    cursor: str | None,
    min_confidence: float | None,
    gallery: Path | None,
    model: str | None,
    url: str | None,
    explain: bool,
    as_json: bool,
) -> None:
    """Search a gallery; best hits first. It works while a server runs on the same gallery.

    With --url the server answers, and no model is loaded here.

    The query takes negative terms (-toy), weights (2:vintage), items (id:a17) and phrases in
    double quotes; put it in quotation marks when it holds a minus.

    \b
    Examples:
      sightline search "a red car -toy"
      sightline search sunset over the sea --k 3
      sightline search --image cat.jpg
      sightline search "2:vintage" --image car.jpg --filter '{"label": "car"}' --explain
      sightline search invoice --mode keyword --json
      sightline search "a cat" --min-confidence 0.5
      sightline search "a red car" --url http://photos.example:8000
    """
    request = SearchRequest(
        text=" ".join(query),
        images=images,
        k=k,
        filter=filter_object(filter_text),
        cursor=cursor,
        min_confidence=min_confidence,
        mode=mode,
        explain=explain,
    )
    _check(request)
    found = any_gallery(gallery=gallery, url=url, model=model).search(request)
    if as_json:
        _print_json(found)
    else:
        _show(found, min_confidence=min_confidence)


def _check(request: SearchRequest) -> None:
    """Refuse what no gallery can answer, before one is opened.

    Raises:
        QueryError: nothing to search for, or a query, filter or k that is none.
    """
    from index.filters import parse_filter
    from index.query import check_k, parse_query

    check_k(request.k)
    if request.text.strip():
        parse_query(request.text)
    elif not request.images:
        raise QueryError('nothing to search for; give words or --image, for example: "a red car"')
    if request.filter is not None:
        parse_filter(request.filter)


def filter_object(text: str | None) -> JSONObject | None:
    """Return the JSON object that ``--filter`` states, ``None`` where it was left out.

    Raises:
        QueryError: not JSON, or no object.
    """
    if text is None:
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise QueryError(f"--filter is not valid JSON: {error}", param="filter") from error
    if not isinstance(value, dict):
        raise QueryError(f"--filter is no JSON object: {text[:100]}", param="filter")
    return value


def read_filter(text: str | None) -> Filter | None:
    """Return the filter that an option states, ``None`` where it was left out.

    Raises:
        QueryError: not JSON, or no filter.
    """
    from index.filters import parse_filter

    value = filter_object(text)
    return None if value is None else parse_filter(value)


def _print_json(found: Found) -> None:
    answer = found.answer
    hits: list[JSONValue] = [_hit_object(hit, found.paths.get(hit.id)) for hit in answer.hits]
    print_json(
        {
            "model": answer.model,
            "plan": answer.plan,
            "took_ms": answer.took_ms,
            "cursor": answer.cursor,
            "hits": hits,
        }
    )


def _hit_object(hit: Hit, path: str | None) -> JSONObject:
    terms: JSONValue = None
    if hit.terms is not None:
        terms = [
            {
                "term": term.term,
                "weight": term.weight,
                "cosine": round(term.cosine, _DIGITS),
                "contribution": round(term.contribution, _DIGITS),
            }
            for term in hit.terms
        ]
    return {
        "id": hit.id,
        "score": round(hit.score, _DIGITS),
        "confidence": None if hit.confidence is None else round(hit.confidence, _DIGITS),
        "caption": hit.caption,
        "metadata": hit.metadata,
        "path": path,
        "terms": terms,
        "ranks": None if hit.ranks is None else asdict(hit.ranks),
    }


def _show(found: Found, *, min_confidence: float | None) -> None:
    hits = found.answer.hits
    if not hits:
        cause = "" if min_confidence is None else f", or reaches the confidence {min_confidence:g}"
        note(f"no hits: the gallery is empty, or nothing satisfies the filter{cause}")
        return
    rated = hits[0].confidence is not None
    columns = ["rank", "score", *(["confidence"] if rated else [])]
    header = [*columns, *(f"{term.weight:g}:{term.term}" for term in hits[0].terms or ())]
    rows = []
    for rank, hit in enumerate(hits, start=1):
        where = found.paths.get(hit.id) or hit.id
        shares = [f"{share.contribution:.4f}" for share in hit.terms or ()]
        sure = [] if hit.confidence is None else [f"{hit.confidence:.2f}"]
        numbers = [str(rank), f"{hit.score:.4f}", *sure, *shares]
        rows.append([*numbers, _short(where), _caption(hit.caption)])
    print_table([*header, "image", "caption"], rows)


def _short(where: str) -> str:
    """Return a path as seen from the current folder where it lies below it."""
    path = Path(where)
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else where


def _caption(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _CAPTION_CHARS else f"{line[: _CAPTION_CHARS - 3]}..."
