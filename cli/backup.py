"""``sightline backup``: a gallery into one file, while a server goes on writing it."""

from __future__ import annotations

from pathlib import Path

import click

from cli.output import note, print_json, print_lines, size_text
from cli.settings import default_gallery

_SHOWN_NAMES = 5


@click.command(name="backup")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--gallery", type=click.Path(path_type=Path), help="Folder of the gallery.  [default: gallery]"
)
@click.option("--verify", is_flag=True, help="Only read FILE and compare every digest.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(*, file: Path, gallery: Path | None, verify: bool, as_json: bool) -> int:
    """Write a gallery into one file: items, vectors, kept pictures, thumbnails, label sets.

    It is one state of the gallery, even while a server writes it, and is read back before the
    command ends. Pictures that lie outside the gallery are not copied. Exit code 1: a kept
    picture was missing or damaged.

    \b
    Examples:
      sightline backup /backups/pets.tar --gallery pets
      sightline backup /backups/pets.tar --verify
    """
    from index.backup import summary_of, write_backup
    from index.backup_reading import verify_backup

    if verify:
        done = summary_of(file, verify_backup(file))
    else:
        done = write_backup(gallery or default_gallery(), file)
    if as_json:
        print_json(
            {
                "file": str(file),
                "bytes": done.bytes,
                "items": done.items,
                "pictures": done.pictures,
                "missing": list(done.missing),
            }
        )
    else:
        print_lines(
            [
                (
                    f"{file}: {done.items} items, {done.pictures} kept pictures, "
                    f"{size_text(done.bytes)}, verified"
                )
            ]
        )
    for name in done.missing[:_SHOWN_NAMES]:
        note(f"{name}: its kept picture is missing or damaged")
    if len(done.missing) > _SHOWN_NAMES:
        note(f"and {len(done.missing) - _SHOWN_NAMES} more")
    return 1 if done.missing else 0
