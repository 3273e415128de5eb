"""``sightline list``: the galleries of a folder, their size and age."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.output import note, print_json, print_table, size_text

if TYPE_CHECKING:
    from core.types import JSONObject
    from index.overview import GalleryOverview, UnreadableGallery

_SPANS = (("y", 365 * 86400), ("d", 86400), ("h", 3600), ("min", 60))


@click.command(name="list")
@click.argument("home", type=click.Path(path_type=Path), default=".")
@click.option("--check", is_flag=True, help="Read every vector and count the damaged ones.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(*, home: Path, check: bool, as_json: bool) -> int:
    """List the galleries in a folder (by default the current one), one in each sub-folder.

    No model is loaded, and servers may go on. Exit code 1: a gallery cannot be read, or --check
    found damage.

    \b
    Examples:
      sightline list
      sightline list ~/galleries --check
      sightline list --json
    """
    from index.overview import UnreadableGallery, list_galleries

    found = list_galleries(home, check=check)
    bad = [one for one in found if isinstance(one, UnreadableGallery)]
    good = [one for one in found if not isinstance(one, UnreadableGallery)]
    if as_json:
        print_json({"galleries": [*map(_as_object, good), *map(_bad_object, bad)]})
    elif good:
        _show(good, check=check)
    if not found:
        note(f"no gallery in {home}")
    for one in bad:
        note(f"{one.name}: {one.reason}")
    return 1 if bad or any(one.damaged for one in good) else 0


def _show(galleries: list[GalleryOverview], *, check: bool) -> None:
    header = ["name", "items", "model", "index", "size", "changed", "age"]
    rows = [
        [
            one.name,
            str(one.items),
            _model(one),
            one.plan,
            size_text(one.disk.total),
            _ago(one.changed_ms),
            _ago(one.created_ms),
            *([str(one.damaged)] if check else []),
        ]
        for one in galleries
    ]
    print_table([*header, *(["damaged"] if check else [])], rows)


def _model(gallery: GalleryOverview) -> str:
    if gallery.model is None:
        return "starter"
    return Path(gallery.model).name if gallery.model.startswith("/") else gallery.model


def _ago(moment_ms: int | None) -> str:
    """Return how long ago a moment was, in its largest unit."""
    if moment_ms is None:
        return "-"
    seconds = max(0, time.time() - moment_ms / 1000)
    for unit, length in _SPANS:
        if seconds >= length:
            return f"{int(seconds // length)} {unit}"
    return f"{int(seconds)} s"


def _as_object(gallery: GalleryOverview) -> JSONObject:
    return {
        "name": gallery.name,
        "folder": str(gallery.folder),
        "items": gallery.items,
        "encoder_id": gallery.encoder_id,
        "model": gallery.model,
        "index": gallery.plan,
        "bytes": gallery.disk.total,
        "created_ms": gallery.created_ms,
        "changed_ms": gallery.changed_ms,
        "damaged": gallery.damaged,
        "error": None,
    }


def _bad_object(gallery: UnreadableGallery) -> JSONObject:
    return {"name": gallery.name, "folder": str(gallery.folder), "error": gallery.reason}
