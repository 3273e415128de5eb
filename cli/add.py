"""``sightline add``: images into a gallery."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import click

from cli.adding import AddSummary, CaptionsFrom, add_sources
from cli.output import note, print_json, print_lines
from cli.settings import default_gallery
from core.types import JSONObject


@click.command(name="add")
@click.argument(
    "paths",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, path_type=Path),
    metavar="PATH...",
)
@click.option(
    "--gallery",
    type=click.Path(path_type=Path),
    help="Folder of the gallery, made if it does not exist.  [default: gallery]",
)
@click.option("--model", help="Model folder or open_clip source.  [default: the gallery's]")
@click.option("--copy", is_flag=True, help="Keep a copy of every image in the gallery.")
@click.option(
    "--caption-from",
    "captions_from",
    type=click.Choice(["pairs", "name", "none"]),
    default="pairs",
    show_default=True,
    help="pairs: the table's column, or a .txt beside the image; name: the file's name.",
)
@click.option("--image-column", help="Column of a table that holds the path of the image.")
@click.option("--caption-column", help="Column of a table that holds the caption.")
@click.option(
    "--threads", type=click.IntRange(1, 64), default=2, show_default=True, help="For decoding."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    *,
    paths: tuple[Path, ...],
    gallery: Path | None,
    model: str | None,
    copy: bool,
    captions_from: CaptionsFrom,
    image_column: str | None,
    caption_column: str | None,
    threads: int,
    as_json: bool,
) -> int:
    """Add image files, folders (with their sub-folders) and tables of pairs to a gallery.

    A table is a .csv, .tsv or .jsonl file that names images and captions. Images stay where they
    are, unless --copy is given, and ones that did not change are skipped. A file that cannot be
    read is named and the others are added; the exit code is 1 only if none could be.

    \b
    Examples:
      sightline add ~/Pictures
      sightline add cat.jpg dog.png --gallery pets
      sightline add pairs.csv --caption-column title
      sightline add ~/Pictures --gallery big --model ./my-model --copy
    """
    from cli.opening import chosen_model, open_encoder, open_gallery

    folder = gallery or default_gallery()
    with (
        closing(open_encoder(model, folder)) as encoder,
        open_gallery(folder, encoder, model=chosen_model(model, folder)) as opened,
    ):
        summary = add_sources(
            opened,
            paths,
            copy=copy,
            captions_from=captions_from,
            image_column=image_column,
            caption_column=caption_column,
            threads=threads,
        )
        count = opened.collection.count()
    if as_json:
        print_json(_as_json(summary, folder=folder, model=encoder.encoder_id, count=count))
    else:
        print_lines([f"{summary.line()}; {folder} holds {count} images"])
    if not summary.stored:
        note("nothing was added")
        return 1
    return 0


def _as_json(summary: AddSummary, *, folder: Path, model: str, count: int) -> JSONObject:
    return {
        "gallery": str(folder),
        "model": model,
        "created": summary.counts["created"],
        "updated": summary.counts["updated"],
        "unchanged": summary.counts["unchanged"],
        "failed": summary.counts["error"],
        "errors": list(summary.errors),
        "count": count,
    }
