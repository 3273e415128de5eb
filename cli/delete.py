"""``sightline delete``: items of a gallery, with the files that only they needed."""

from __future__ import annotations

from pathlib import Path

import click

from cli.any_gallery import any_gallery, url_option
from cli.output import print_json, print_lines
from core.errors import UsageError


@click.command(name="delete")
@click.argument("ids", nargs=-1)
@click.option("--filter", "filter_text", help='JSON, for example: {"label": "blurred"}')
@click.option(
    "--gallery", type=click.Path(path_type=Path), help="Folder of the gallery.  [default: gallery]"
)
@url_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    *,
    ids: tuple[str, ...],
    filter_text: str | None,
    gallery: Path | None,
    url: str | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Delete items by their ids, or all that satisfy a filter, from a gallery.

    What the gallery kept of them goes too; files that were only read from stay where they are.
    While a server runs on the gallery, ask it: --url.

    \b
    Examples:
      sightline delete a17 b3
      sightline delete --filter '{"label": "blurred"}' --yes
      sightline delete a17 --url http://photos.example:8000
    """
    from cli.search import filter_object, read_filter

    if (filter_text is None) == (not ids):
        raise UsageError("name the items to delete, or give --filter; one of the two")
    read_filter(filter_text)
    chosen = any_gallery(gallery=gallery, url=url)

    def confirm(count: int) -> None:
        if count and not yes:
            click.confirm(f"Delete {count} items from {chosen.where}?", abort=True, err=True)

    done = chosen.delete(ids, filter_object(filter_text), confirm=confirm)
    if as_json:
        print_json({"deleted": done.deleted, "left": done.left})
    else:
        print_lines([f"{done.deleted} deleted; {chosen.where} holds {done.left} images"])
