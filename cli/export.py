"""``sightline export``: a gallery in open formats, and the way back."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from cli.output import note, print_json, print_lines
from cli.progress import terminal_progress
from cli.settings import default_gallery

if TYPE_CHECKING:
    from index.export_reading import ExportImport

_SHOWN_NAMES = 5


@click.command(name="export")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--gallery", type=click.Path(path_type=Path), help="Folder of the gallery.  [default: gallery]"
)
@click.option("--images", is_flag=True, help="Copy the pictures too.")
@click.option(
    "--table",
    type=click.Choice(["parquet", "jsonl"]),
    default="parquet",
    show_default=True,
    help="Format of the metadata; jsonl needs no pyarrow.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    *,
    folder: Path,
    gallery: Path | None,
    images: bool,
    table: Literal["parquet", "jsonl"],
    as_json: bool,
) -> int:
    """Write embeddings (.npy) and metadata (Parquet or JSON lines) of a gallery to a new FOLDER.

    It works while a server runs on the gallery, and `sightline import` reads it back. The names
    are those of clip-retrieval. Exit code 1: items were left out, or pictures are gone.

    \b
    Examples:
      sightline export pets-export --gallery pets --images
      sightline export pets-export --gallery pets --table jsonl
    """
    from index.export import export_gallery

    source = gallery or default_gallery()
    done = export_gallery(source, folder, table=table, images=images, progress=terminal_progress)
    if as_json:
        print_json(
            {
                "folder": str(folder),
                "items": done.items,
                "pictures": done.pictures,
                "damaged": list(done.damaged),
                "without_picture": list(done.without_picture),
            }
        )
    else:
        print_lines([f"{folder}: {done.items} items, {done.pictures} pictures"])
    _list("left out, the vector is damaged", done.damaged)
    _list("without picture, its file is gone", done.without_picture)
    return 1 if done.damaged or done.without_picture else 0


def import_export(
    folder: Path, gallery: Path, *, model: str | None, re_embed: bool, as_json: bool
) -> int:
    """Read an exported gallery back: what ``sightline import`` does with such a folder.

    Args:
        folder: of the export.
        gallery: to fill, made where there is none.
        model: ``None`` takes the one of the export; another one is refused without ``re_embed``.
        re_embed: make the vectors again from the pictures.
        as_json: print JSON.

    Raises:
        EncoderMismatchError: the vectors are of another model.
        SightlineError: the export cannot be read, or the gallery not be written.
    """
    from cli.opening import chosen_model, open_encoder
    from index.export_reading import embed_export
    from index.export_reading import import_export as import_vectors

    if re_embed:
        with closing(open_encoder(model, gallery)) as encoder:
            done = embed_export(
                folder,
                gallery,
                encoder,
                model=chosen_model(model, gallery),
                progress=terminal_progress,
            )
    else:
        encoder_id = None
        if model is not None:
            with closing(open_encoder(model, gallery)) as encoder:
                encoder_id = encoder.encoder_id
        done = import_vectors(folder, gallery, encoder_id=encoder_id, progress=terminal_progress)
    _show_import(gallery, done, as_json=as_json)
    return 1 if done.errors or (re_embed and done.without_picture) else 0


def _show_import(gallery: Path, done: ExportImport, *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "gallery": str(gallery),
                "counts": dict(done.counts),
                "without_picture": list(done.without_picture),
                "errors": [{"id": name, "message": reason} for name, reason in done.errors],
            }
        )
    else:
        counts = ", ".join(f"{count} {status}" for status, count in done.counts.items())
        print_lines([f"{gallery}: {counts or 'nothing to import'}"])
    _list("picture neither in the export nor at its source", done.without_picture)
    for name, reason in done.errors[:_SHOWN_NAMES]:
        note(f"{name}: {reason}")


def _list(title: str, names: tuple[str, ...] | list[str]) -> None:
    if names:
        more = f" and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else ""
        note(f"{title}: {', '.join(names[:_SHOWN_NAMES])}{more}")
