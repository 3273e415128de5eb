"""``sightline duplicates``: images of a gallery that look alike."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.output import note, print_json, print_lines
from cli.progress import terminal_progress
from cli.settings import default_gallery
from core.errors import QueryError
from core.types import JSONObject

if TYPE_CHECKING:
    from index.filter_sql import SQLCondition
    from index.near_duplicates import DuplicateGroup
    from index.store import StoreReader


@click.command(name="duplicates")
@click.option(
    "--gallery",
    type=click.Path(path_type=Path),
    help="Folder of the gallery.  [default: gallery]",
)
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.95,
    show_default=True,
    help="Least cosine of two images that count as alike.",
)
@click.option("--filter", "filter_text", help="JSON: only among the images that satisfy it.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    *, gallery: Path | None, threshold: float, filter_text: str | None, as_json: bool
) -> int:
    """List the images that look alike, in groups; nothing is changed.

    Every pair is compared by the embeddings that the gallery holds, so no model is loaded, and it
    works while a server runs on the gallery. What is alike depends on the model: try thresholds.

    \b
    Examples:
      sightline duplicates
      sightline duplicates --gallery pets --threshold 0.98
      sightline duplicates --filter '{"year": 2020}' --json
    """
    from index.binding import read_binding
    from index.near_duplicates import near_duplicates
    from index.store import StoreReader

    with closing(StoreReader(gallery or default_gallery())) as store:
        groups = near_duplicates(
            store,
            dim=read_binding(store).dim,
            threshold=threshold,
            condition=_condition(filter_text),
            progress=terminal_progress,
        )
        if as_json:
            print_json(_as_json(store, groups, threshold))
        else:
            print_lines(line for group in groups for line in _lines(store, group))
    extra = sum(len(group.items) - 1 for group in groups)
    note(f"{len(groups)} groups; {extra} images look like another at cosine {threshold:g}")
    return 0


def _condition(filter_text: str | None) -> SQLCondition:
    from index.filter_sql import compile_filter
    from index.filters import parse_filter

    if filter_text is None:
        return compile_filter(None)
    try:
        return compile_filter(parse_filter(json.loads(filter_text)))
    except json.JSONDecodeError as error:
        raise QueryError(f"--filter is not valid JSON: {error}", param="filter") from error


def _lines(store: StoreReader, group: DuplicateGroup) -> list[str]:
    items = store.items([member.id for member in group.items])
    lines = [
        f"{member.cosine:.4f}  {member.id}  {items[member.id].source or ''}".rstrip()
        for member in group.items
    ]
    return [*lines, ""]


def _as_json(store: StoreReader, groups: list[DuplicateGroup], threshold: float) -> JSONObject:
    found: list[JSONObject] = []
    for group in groups:
        items = store.items([member.id for member in group.items])
        found.append(
            {
                "items": [
                    {
                        "id": member.id,
                        "cosine": round(member.cosine, 6),
                        "digest": items[member.id].digest,
                        "path": items[member.id].source,
                    }
                    for member in group.items
                ]
            }
        )
    return {"threshold": threshold, "groups": [*found]}
