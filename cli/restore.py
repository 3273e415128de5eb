"""``sightline restore``: a gallery back from its backup."""

from __future__ import annotations

from pathlib import Path

import click

from cli.output import print_json, print_lines
from cli.settings import default_gallery


@click.command(name="restore")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--gallery",
    type=click.Path(path_type=Path),
    help="New folder of the gallery.  [default: gallery]",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(*, file: Path, gallery: Path | None, as_json: bool) -> None:
    """Bring a gallery back; every file is verified before the folder appears.

    \b
    Examples:
      sightline restore /backups/pets.tar --gallery pets
    """
    from index.backup_reading import restore_backup

    folder = gallery or default_gallery()
    manifest = restore_backup(file, folder)
    if as_json:
        print_json(
            {
                "gallery": str(folder),
                "items": manifest["items"],
                "encoder_id": manifest["encoder_id"],
                "model": manifest["model"],
                "missing": manifest["missing"],
            }
        )
    else:
        print_lines([f"{folder}: {manifest['items']} items restored, every file verified"])
