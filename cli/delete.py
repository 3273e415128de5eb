"""``sightline delete``: items of a gallery, with the files that only they needed."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.output import print_json, print_lines
from cli.settings import default_gallery
from core.errors import UsageError

if TYPE_CHECKING:
    from index.filters import Filter
    from index.gallery import Gallery


@click.command(name="delete")
@click.argument("ids", nargs=-1)
@click.option("--filter", "filter_text", help='JSON, for example: {"label": "blurred"}')
@click.option(
    "--gallery", type=click.Path(path_type=Path), help="Folder of the gallery.  [default: gallery]"
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    *,
    ids: tuple[str, ...],
    filter_text: str | None,
    gallery: Path | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Delete items by their ids, or all that satisfy a filter, from a gallery.

    What the gallery kept of them goes too; files that were only read from stay where they are.
    Stop a server first, or send the request to it: DELETE /v1/items/ID.

    \b
    Examples:
      sightline delete a17 b3
      sightline delete --filter '{"label": "blurred"}' --yes
    """
    from cli.opening import open_encoder, open_gallery, require_gallery
    from cli.search import read_filter

    chosen = read_filter(filter_text)
    if (chosen is None) == (not ids):
        raise UsageError("name the items to delete, or give --filter; one of the two")
    folder = gallery or default_gallery()
    require_gallery(folder)
    with (
        closing(open_encoder(None, folder)) as encoder,
        open_gallery(folder, encoder) as opened,
    ):
        count = _count(opened, ids, chosen)
        if count and not yes:
            click.confirm(f"Delete {count} items from {folder}?", abort=True, err=True)
        deleted = opened.delete(ids) if chosen is None else opened.delete_where(chosen)
        left = opened.collection.count()
    if as_json:
        print_json({"deleted": deleted, "left": left})
    else:
        print_lines([f"{deleted} deleted; {folder} holds {left} images"])


def _count(gallery: Gallery, ids: tuple[str, ...], chosen: Filter | None) -> int:
    if chosen is None:
        return len(gallery.collection.find(ids))
    return gallery.collection.count(chosen)
