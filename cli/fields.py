"""``sightline fields``: index the metadata fields that filters ask for."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.output import note, print_json, print_lines, print_table
from cli.settings import default_gallery

if TYPE_CHECKING:
    from index.collection import Collection

_gallery = click.option(
    "--gallery", type=click.Path(path_type=Path), help="Folder of the gallery.  [default: gallery]"
)


@click.group(name="fields")
def command() -> None:
    """Index metadata fields, so that filters on them look values up instead of reading every item.

    What a filter selects does not change. Stop a server before adding or dropping.

    \b
    Examples:
      sightline fields list
      sightline fields add price
      sightline fields drop price
    """


@command.command(name="list")
@_gallery
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_fields(*, gallery: Path | None, as_json: bool) -> None:
    """List the metadata fields, how many items have them, and which are indexed."""
    from index.fields import field_uses
    from index.store import StoreReader

    with closing(StoreReader(gallery or default_gallery())) as store:
        uses = field_uses(store)
    if as_json:
        print_json(
            {
                "fields": [
                    {"name": use.name, "items": use.items, "indexed": use.indexed} for use in uses
                ]
            }
        )
    elif uses:
        rows = [[use.name, str(use.items), "yes" if use.indexed else "no"] for use in uses]
        print_table(["field", "items", "indexed"], rows)
    else:
        note("no item has metadata")


@command.command(name="add")
@click.argument("names", nargs=-1, required=True)
@_gallery
def add_fields(*, names: tuple[str, ...], gallery: Path | None) -> None:
    """Index fields; dots lead into nested objects: camera.model."""
    from index.fields import IndexField

    with closing(_open(gallery)) as collection:
        for name in names:
            is_new = collection.write(IndexField(name))
            print_lines([f"{name}: {'indexed' if is_new else 'was indexed already'}"])


@command.command(name="drop")
@click.argument("names", nargs=-1, required=True)
@_gallery
def drop_fields(*, names: tuple[str, ...], gallery: Path | None) -> None:
    """Forget the indexes of fields; filters on them go on, more slowly."""
    from index.fields import DropField

    with closing(_open(gallery)) as collection:
        for name in names:
            collection.write(DropField(name))
            print_lines([f"{name}: no longer indexed"])


def _open(gallery: Path | None) -> Collection:
    """Open the collection for writing; no model is needed."""
    from index.binding import binding_of_folder
    from index.collection import Collection

    folder = gallery or default_gallery()
    bound = binding_of_folder(folder)
    return Collection.open(folder, encoder_id=bound.encoder_id, dim=bound.dim)
