"""``sightline search``: a gallery by text, image or both."""

from __future__ import annotations

import json
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from cli.output import note, print_json, print_table
from cli.settings import default_gallery
from core.errors import QueryError

if TYPE_CHECKING:
    from core.types import JSONValue
    from index.filters import Filter
    from index.items import Hit, Item, SearchResult
    from index.query import Term

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
    "--gallery", type=click.Path(path_type=Path), help="Folder of the gallery.  [default: gallery]"
)
@click.option("--model", help="Model folder or open_clip source.  [default: the gallery's]")
@click.option("--explain", is_flag=True, help="Show what each term added to the score.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    *,
    query: tuple[str, ...],
    images: tuple[Path, ...],
    k: int,
    filter_text: str | None,
    mode: Literal["vector", "keyword", "hybrid"],
    cursor: str | None,
    gallery: Path | None,
    model: str | None,
    explain: bool,
    as_json: bool,
) -> None:
    """Search a gallery; best hits first. It works while a server runs on the same gallery.

    The query takes negative terms (-toy), weights (2:vintage), items (id:a17) and phrases in
    double quotes; put it in quotation marks when it holds a minus.

    \b
    Examples:
      sightline search "a red car -toy"
      sightline search sunset over the sea --k 3
      sightline search --image cat.jpg
      sightline search "2:vintage" --image car.jpg --filter '{"label": "car"}' --explain
      sightline search invoice --mode keyword --json
    """
    from cli.opening import open_encoder, open_gallery, require_gallery
    from index.query import Query

    terms = _terms(" ".join(query), images)
    chosen = read_filter(filter_text)
    folder = gallery or default_gallery()
    asked = Query(terms, k=k, filter=chosen, cursor=cursor, mode=mode, explain=explain)
    require_gallery(folder)
    with (
        closing(open_encoder(model, folder)) as encoder,
        open_gallery(folder, encoder, read_only=True) as opened,
    ):
        started = time.perf_counter()
        found = opened.search(asked)
        took_ms = round((time.perf_counter() - started) * 1000, 3)
        items = opened.collection.find([hit.id for hit in found.hits])
    if as_json:
        hits: list[JSONValue] = [_hit_object(hit, items.get(hit.id)) for hit in found.hits]
        print_json(
            {
                "model": encoder.encoder_id,
                "plan": found.plan,
                "took_ms": took_ms,
                "cursor": found.cursor,
                "hits": hits,
            }
        )
    else:
        _show(found, items, terms if explain else ())


def _terms(text: str, images: tuple[Path, ...]) -> tuple[Term, ...]:
    from encoders.decoding import read_image_file
    from index.query import Term, parse_query

    terms = parse_query(text) if text.strip() else ()
    terms += tuple(Term(image=read_image_file(path)) for path in images)
    if not terms:
        raise QueryError('nothing to search for; give words or --image, for example: "a red car"')
    return terms


def read_filter(text: str | None) -> Filter | None:
    """Return the filter that an option states, ``None`` where it was left out.

    Raises:
        QueryError: not JSON, or no filter.
    """
    from index.filters import parse_filter

    if text is None:
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise QueryError(f"--filter is not valid JSON: {error}", param="filter") from error
    return parse_filter(value)


def _hit_object(hit: Hit, item: Item | None) -> JSONValue:
    terms: JSONValue = None
    if hit.terms is not None:
        terms = [
            {
                "term": term.term,
                "weight": term.weight,
                "cosine": term.cosine,
                "contribution": term.contribution,
            }
            for term in hit.terms
        ]
    return {
        "id": hit.id,
        "score": hit.score,
        "confidence": hit.confidence,
        "caption": hit.caption,
        "metadata": hit.metadata,
        "path": None if item is None else item.source,
        "terms": terms,
    }


def _show(found: SearchResult, items: dict[str, Item], explained: tuple[Term, ...]) -> None:
    if not found.hits:
        note("no hits: the gallery is empty, or nothing satisfies the filter")
        return
    header = ["rank", "score", *(f"{term.weight:g}:{term.label}" for term in explained)]
    rows = []
    for rank, hit in enumerate(found.hits, start=1):
        item = items.get(hit.id)
        where = item.source if item is not None and item.source else hit.id
        shares = [f"{share.contribution:.4f}" for share in hit.terms or ()]
        rows.append([str(rank), f"{hit.score:.4f}", *shares, _short(where), _caption(hit.caption)])
    print_table([*header, "image", "caption"], rows)


def _short(where: str) -> str:
    """Return a path as seen from the current folder where it lies below it."""
    path = Path(where)
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else where


def _caption(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _CAPTION_CHARS else f"{line[: _CAPTION_CHARS - 3]}..."
