"""``sightline compact``: give the space back that deletions left."""

from __future__ import annotations

from pathlib import Path

import click

from cli.output import note, print_json, print_lines, size_text
from cli.settings import default_gallery


@click.command(name="compact")
@click.option(
    "--gallery", type=click.Path(path_type=Path), help="Folder of the gallery.  [default: gallery]"
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(*, gallery: Path | None, as_json: bool) -> None:
    """Rewrite the database without its holes, build the index anew, delete stray files.

    Searches of other processes go on meanwhile; nothing else may write, so stop a server first.

    \b
    Examples:
      sightline compact
      sightline compact --gallery pets
    """
    from index.compaction import compact

    folder = gallery or default_gallery()
    done = compact(folder)
    won = done.before.total - done.after.total
    if as_json:
        print_json(
            {
                "gallery": str(folder),
                "bytes_before": done.before.total,
                "bytes_after": done.after.total,
                "bytes_won": won,
                "files_deleted": done.files,
                "log_emptied": done.log_emptied,
            }
        )
        return
    sizes = f"{size_text(done.before.total)} -> {size_text(done.after.total)}"
    change = f"{size_text(won)} won" if won >= 0 else f"{size_text(-won)} more"
    print_lines([f"{folder}: {sizes}, {change}; {done.files} stray files deleted"])
    if not done.log_emptied:
        note("another process was reading all the while: the log shrinks with the next write")
