"""``sightline import``: embeddings that were made elsewhere, into a gallery."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.export import import_export
from cli.output import note, print_json, print_lines
from cli.progress import terminal_progress
from cli.settings import default_gallery
from core.errors import UsageError
from core.types import JSONObject

if TYPE_CHECKING:
    from index.importing import ImportSummary

_SHOWN_ERRORS = 20


@click.command(name="import")
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option(
    "--gallery",
    type=click.Path(path_type=Path),
    help="Folder of the gallery, made if it does not exist.  [default: gallery]",
)
@click.option("--model", help="The model that made the embeddings.  [default: the gallery's]")
@click.option(
    "--image-root",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder that relative paths of images start from.  [default: FOLDER]",
)
@click.option("--re-embed", is_flag=True, help="Of an exported gallery: embed its pictures anew.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    *,
    folder: Path,
    gallery: Path | None,
    model: str | None,
    image_root: Path | None,
    re_embed: bool,
    as_json: bool,
) -> int:
    """Take over embeddings: of a gallery that `sightline export` wrote, or of clip-retrieval.

    An exported gallery comes back as it was. A folder of clip-retrieval (img_emb/ and metadata/)
    does not say which model made it, so name it: dimension and length of the vectors are checked,
    and a few images and captions are embedded and compared. Images that are found at their
    recorded place can be shown, the others only be found.

    \b
    Examples:
      sightline import pets-export --gallery pets
      sightline import embeddings --model ViT-B-32/laion2b_s34b_b79k
      sightline import embeddings --gallery laion --model ./my-model --image-root ~/Pictures
    """
    from cli.opening import chosen_model, open_encoder, open_gallery
    from index.export_reading import is_export
    from index.importing import import_clip_retrieval

    target = gallery or default_gallery()
    if is_export(folder):
        return import_export(folder, target, model=model, re_embed=re_embed, as_json=as_json)
    if re_embed:
        raise UsageError(f"{folder} is no exported gallery; add its images: sightline add {folder}")
    with (
        closing(open_encoder(model, target)) as encoder,
        open_gallery(target, encoder, model=chosen_model(model, target)) as opened,
    ):
        summary = import_clip_retrieval(
            opened, folder, image_root=image_root, progress=terminal_progress
        )
        count = opened.collection.count()
    for error in summary.errors[:_SHOWN_ERRORS]:
        note(f"{error['path']}: {error['message']}")
    if len(summary.errors) > _SHOWN_ERRORS:
        note(f"and {len(summary.errors) - _SHOWN_ERRORS} more; --json lists all")
    note(_checked_line(summary))
    if as_json:
        print_json(_as_json(summary, gallery=target, count=count))
    else:
        print_lines([f"{_line(summary)}; {target} holds {count} images"])
    return 0 if summary.counts.total() > summary.counts["error"] else 1


def _line(summary: ImportSummary) -> str:
    counts = summary.counts
    return (
        f"{counts['created']} added, {counts['updated']} updated, {counts['unchanged']} unchanged, "
        f"{counts['error']} failed; {summary.with_file} images found on this machine"
    )


def _checked_line(summary: ImportSummary) -> str:
    checked = summary.checked
    if checked.median_cosine is None:
        return (
            "no image and no caption could be compared, so whether the model is the right one "
            "was checked by the dimension alone"
        )
    return (
        f"{checked.images} images and {checked.texts} captions were embedded again; median cosine "
        f"{checked.median_cosine:.4f}"
    )


def _as_json(summary: ImportSummary, *, gallery: Path, count: int) -> JSONObject:
    return {
        "gallery": str(gallery),
        "created": summary.counts["created"],
        "updated": summary.counts["updated"],
        "unchanged": summary.counts["unchanged"],
        "failed": summary.counts["error"],
        "errors": list(summary.errors),
        "with_file": summary.with_file,
        "compared_images": summary.checked.images,
        "compared_texts": summary.checked.texts,
        "median_cosine": summary.checked.median_cosine,
        "count": count,
    }
