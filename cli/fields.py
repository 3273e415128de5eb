"""``sightline fields``: index the metadata fields that filters ask for."""

from __future__ import annotations

from pathlib import Path

import click

from cli.any_fields import any_fields
from cli.any_gallery import url_option
from cli.output import note, print_json, print_lines, print_table

_gallery = click.option(
    "--gallery", type=click.Path(path_type=Path), help="Folder of the gallery.  [default: gallery]"
)


@click.group(name="fields")
def command() -> None:
    """Index metadata fields, so that filters on them look values up instead of reading every item.

    What a filter selects does not change. While a server runs on the gallery, ask it: --url.

    \b
    Examples:
      sightline fields list
      sightline fields add price
      sightline fields drop price
      sightline fields add price --url http://photos.example:8000
    """


@command.command(name="list")
@_gallery
@url_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_fields(*, gallery: Path | None, url: str | None, as_json: bool) -> None:
    """List the metadata fields, how many items have them, and which are indexed."""
    uses = any_fields(gallery=gallery, url=url).list()
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
@url_option
def add_fields(*, names: tuple[str, ...], gallery: Path | None, url: str | None) -> None:
    """Index fields; dots lead into nested objects: camera.model."""
    fields = any_fields(gallery=gallery, url=url)
    for name in names:
        is_new = fields.add(name)
        print_lines([f"{name}: {'indexed' if is_new else 'was indexed already'}"])


@command.command(name="drop")
@click.argument("names", nargs=-1, required=True)
@_gallery
@url_option
def drop_fields(*, names: tuple[str, ...], gallery: Path | None, url: str | None) -> None:
    """Forget the indexes of fields; filters on them go on, more slowly."""
    fields = any_fields(gallery=gallery, url=url)
    for name in names:
        fields.drop(name)
        print_lines([f"{name}: no longer indexed"])
