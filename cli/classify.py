"""``sightline classify``: label images with words of your choice."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.output import note, print_json, print_table
from core.errors import UsageError

if TYPE_CHECKING:
    from core.types import JSONValue
    from evaluation.images import EmbeddedImages
    from zeroshot.scores import Scores

_FILES_WORTH_A_PROGRESS = 32


@click.command(name="classify")
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--labels", help="The labels, with commas between them.")
@click.option("--label-set", help="name or name@version of a stored label set, or imagenet.")
@click.option("--templates", help="name, single, imagenet7 or imagenet80.  [default: imagenet7]")
@click.option("--top", type=click.IntRange(min=1), default=5, show_default=True)
@click.option(
    "--mode",
    type=click.Choice(["single", "multi"]),
    default="single",
    show_default=True,
    help="single: one label fits; multi: each label has a probability of its own.",
)
@click.option(
    "--model", help="Model folder or open_clip source.  [default: the gallery's, or the starter]"
)
@click.option("--gallery", type=click.Path(path_type=Path), help="Gallery with the label sets.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    *,
    images: tuple[Path, ...],
    labels: str | None,
    label_set: str | None,
    templates: str | None,
    top: int,
    mode: str,
    model: str | None,
    gallery: Path | None,
    as_json: bool,
) -> None:
    """Label IMAGES, files or folders, with words of your choice.

    An image that cannot be read is named and the others are labelled; the exit code is 1 only if
    none could be.

    \b
    Examples:
      sightline classify cat.jpg --labels cat,dog,bird
      sightline classify photos --labels "beach,mountains,a city street" --top 1
      sightline classify shelf.jpg --labels book,lamp,plant --mode multi
      sightline classify cat.jpg --label-set imagenet --json
    """
    from cli.labels import chosen_labels
    from cli.opening import open_encoder
    from cli.progress import terminal_progress
    from core.progress import silent
    from evaluation.images import embed_images
    from zeroshot.classifier import build_classifier

    chosen, prompts = chosen_labels(
        labels=labels, label_set=label_set, templates=templates, gallery=gallery
    )
    if chosen is None:
        raise UsageError("no labels; give --labels cat,dog or --label-set NAME")
    paths = _files(images)
    with closing(open_encoder(model, gallery)) as encoder:
        progress = terminal_progress if len(paths) >= _FILES_WORTH_A_PROGRESS else silent
        embedded = embed_images(encoder, paths, progress=progress)
        for failed in embedded.failed:
            note(f"{failed.image}: {failed.message}")
        scores = build_classifier(encoder, chosen, prompts).classify(
            embedded.embeddings_GD, mode="multi" if mode == "multi" else "single"
        )
        encoder_id = encoder.encoder_id
    if as_json:
        results = _results(paths, embedded, scores, top)
        print_json({"model": encoder_id, "label_set": label_set, "results": results})
    else:
        _show(paths, embedded, scores, top)
    if not embedded.places_G:
        sys.exit(1)


def _files(images: tuple[Path, ...]) -> list[Path]:
    """Return the files, with folders replaced by the images inside them."""
    from core.pairs.folders import find_images

    files: list[Path] = []
    for image in images:
        inside = find_images(image) if image.is_dir() else [image]
        if not inside:
            raise UsageError(f"{image} holds no images")
        files += inside
    return files


def _results(
    paths: list[Path], embedded: EmbeddedImages, scores: Scores, top: int
) -> list[JSONValue]:
    """Return an entry per image, in order, in the shape of ``POST /v1/classify``."""
    results: dict[int, JSONValue] = {
        failed.place: {
            "image": str(failed.image),
            "status": "error",
            "error": {"message": failed.message, "code": failed.code},
        }
        for failed in embedded.failed
    }
    for row, place in enumerate(embedded.places_G):
        best = scores.top(row, top)
        results[place] = {
            "image": str(paths[place]),
            "status": "ok",
            "label": best[0].label,
            "labels": [
                {
                    "label": item.label,
                    "score": round(item.score, 6),
                    "cosine": round(item.cosine, 6),
                }
                for item in best
            ],
            "calibrated": False,
        }
    return [results[place] for place in range(len(paths))]


def _show(paths: list[Path], embedded: EmbeddedImages, scores: Scores, top: int) -> None:
    rows = [
        [str(paths[place]), item.label, f"{item.score:.4f}", f"{item.cosine:.4f}"]
        for row, place in enumerate(embedded.places_G)
        for item in scores.top(row, top)
    ]
    if rows:
        print_table(["image", "label", "score", "cosine"], rows)
