"""``sightline list``: the galleries of a folder, their size and age."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.any_gallery import url_option
from cli.output import note, print_json, print_table, size_text
from core.errors import UsageError

if TYPE_CHECKING:
    from core.types import JSONObject
    from index.overview import GalleryOverview, UnreadableGallery

_SPANS = (("y", 365 * 86400), ("d", 86400), ("h", 3600), ("min", 60))


@click.command(name="list")
@click.argument("home", type=click.Path(path_type=Path), required=False)
@click.option("--check", is_flag=True, help="Read every vector and count the damaged ones.")
@url_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(*, home: Path | None, check: bool, url: str | None, as_json: bool) -> int:
    """List the galleries in a folder (by default the current one), one in each sub-folder.

    No model is loaded, and servers may go on. With --url, the one gallery of a server; it does not
    tell its size and age. Exit code 1: a gallery cannot be read, or --check found damage.

    \b
    Examples:
      sightline list
      sightline list ~/galleries --check
      sightline list --json
      sightline list --url http://photos.example:8000
    """
    if url is not None and (home is not None or check):
        other = "--check" if check else str(home)
        raise UsageError(f"{other} has no meaning with --url, which names one server's gallery")
    good, bad = _in_folder(home or Path(), check=check) if url is None else ([_served(url)], [])
    if as_json:
        print_json({"galleries": [*map(_as_object, good), *map(_bad_object, bad)]})
    elif good:
        _show(good, check=check)
    if not good and not bad:
        note(f"no gallery in {home or Path()}")
    for one in bad:
        note(f"{one.name}: {one.reason}")
    return 1 if bad or any(one.damaged for one in good) else 0


@dataclass(frozen=True, slots=True)
class _Listed:
    """One gallery; what a server does not tell is ``None``."""

    name: str
    where: str
    items: int
    encoder_id: str
    model: str | None
    index: str
    bytes: int | None = None
    created_ms: int | None = None
    changed_ms: int | None = None
    damaged: int | None = None


def _in_folder(home: Path, *, check: bool) -> tuple[list[_Listed], list[UnreadableGallery]]:
    from index.overview import UnreadableGallery, list_galleries

    found = list_galleries(home, check=check)
    bad = [one for one in found if isinstance(one, UnreadableGallery)]
    return [_listed(one) for one in found if not isinstance(one, UnreadableGallery)], bad


def _listed(gallery: GalleryOverview) -> _Listed:
    return _Listed(
        name=gallery.name,
        where=str(gallery.folder),
        items=gallery.items,
        encoder_id=gallery.encoder_id,
        model=gallery.model,
        index=gallery.plan,
        bytes=gallery.disk.total,
        created_ms=gallery.created_ms,
        changed_ms=gallery.changed_ms,
        damaged=gallery.damaged,
    )


def _served(url: str) -> _Listed:
    from cli.served_gallery import ServedGallery

    served = ServedGallery(url)
    found = served.overview()
    return _Listed(
        name=served.where,
        where=served.where,
        items=found.count,
        encoder_id=found.encoder_id,
        model=found.model,
        index=found.index,
    )


def _show(galleries: list[_Listed], *, check: bool) -> None:
    header = ["name", "items", "model", "index", "size", "changed", "age"]
    rows = [
        [
            one.name,
            str(one.items),
            _model(one),
            one.index,
            "-" if one.bytes is None else size_text(one.bytes),
            _ago(one.changed_ms),
            _ago(one.created_ms),
            *([str(one.damaged)] if check else []),
        ]
        for one in galleries
    ]
    print_table([*header, *(["damaged"] if check else [])], rows)


def _model(gallery: _Listed) -> str:
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


def _as_object(gallery: _Listed) -> JSONObject:
    return {
        "name": gallery.name,
        "folder": gallery.where,
        "items": gallery.items,
        "encoder_id": gallery.encoder_id,
        "model": gallery.model,
        "index": gallery.index,
        "bytes": gallery.bytes,
        "created_ms": gallery.created_ms,
        "changed_ms": gallery.changed_ms,
        "damaged": gallery.damaged,
        "error": None,
    }


def _bad_object(gallery: UnreadableGallery) -> JSONObject:
    return {"name": gallery.name, "folder": str(gallery.folder), "error": gallery.reason}
