"""``sightline classify``: label images with words of your choice."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.any_gallery import chosen_url, url_option
from cli.labelling import Classified, ClassifyRequest
from cli.output import note, print_json, print_table
from core.errors import UsageError
from core.types import JSONObject

if TYPE_CHECKING:
    from sightline.label_answers import Labels
    from zeroshot.classifier import Ensemble, Mode

_DIGITS = 6


@click.command(name="classify")
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--labels", help="The labels, with commas between them.")
@click.option("--label-set", help="name or name@version of a stored label set, or imagenet.")
@click.option("--templates", help="Template set.  [default: the label set's own, or imagenet7]")
@click.option("--top", type=click.IntRange(min=1), default=5, show_default=True)
@click.option(
    "--mode",
    type=click.Choice(["single", "multi"]),
    default="single",
    show_default=True,
    help="single: one label fits; multi: each label has a probability of its own.",
)
@click.option(
    "--ensemble",
    type=click.Choice(["embedding", "logit", "max"]),
    default="embedding",
    show_default=True,
    help="How the prompts of a label come together.",
)
@click.option(
    "--crops",
    type=click.Choice(["1", "5", "10"]),
    default="1",
    show_default=True,
    help="Views of each image whose embeddings are averaged; each costs an image.",
)
@click.option("--temperature", type=float, help="Divides the logits.  [default: fitted, or 1]")
@click.option("--min-score", type=float, help="Give no label whose score is lower.")
@click.option("--min-margin", type=float, help="Give none nearer to the second best.")
@click.option("--min-cosine", type=float, help="Give none whose cosine is lower.")
@click.option("--max-energy", type=float, help="Give none to an image of higher energy.")
@click.option("--no-abstain", is_flag=True, help="Always give a label; ignore the fitted rules.")
@click.option(
    "--alpha", type=float, help="Add the labels of which the true one is one with 1 - ALPHA."
)
@click.option("--no-head", is_flag=True, help="The texts alone, without the examples.")
@click.option(
    "--model", help="Model folder or open_clip source.  [default: the gallery's, or the starter]"
)
@click.option("--gallery", type=click.Path(path_type=Path), help="Gallery with the label sets.")
@url_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    *,
    images: tuple[Path, ...],
    labels: str | None,
    label_set: str | None,
    templates: str | None,
    top: int,
    mode: Mode,
    ensemble: Ensemble,
    crops: str,
    temperature: float | None,
    min_score: float | None,
    min_margin: float | None,
    min_cosine: float | None,
    max_energy: float | None,
    no_abstain: bool,
    alpha: float | None,
    no_head: bool,
    model: str | None,
    gallery: Path | None,
    url: str | None,
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
      sightline classify cat.jpg --labels cat,dog --url http://photos.example:8000
      sightline classify photos --label-set pets --alpha 0.1 --min-cosine 0.2 --crops 5
    """
    from zeroshot.abstention import Abstain

    rules = Abstain(min_score, min_margin, min_cosine, max_energy)
    request = ClassifyRequest(
        images=images,
        labels=labels,
        label_set=label_set,
        templates=templates,
        top=top,
        mode=mode,
        ensemble=ensemble,
        crops=int(crops),
        temperature=temperature,
        abstain=rules if no_abstain or rules != Abstain() else None,
        alpha=alpha,
        head=not no_head,
    )
    address = chosen_url(gallery=gallery, url=url, model=model)
    _classify(request, address, model=model, gallery=gallery, as_json=as_json)


def _classify(
    request: ClassifyRequest,
    address: str | None,
    *,
    model: str | None,
    gallery: Path | None,
    as_json: bool,
) -> None:
    from cli.local_labels import classify_here
    from cli.served_labels import classify_there

    paths = _files(request.images)
    found = (
        classify_here(request, paths, model=model, gallery=gallery)
        if address is None
        else classify_there(address, request, paths)
    )
    for warning in found.warnings:
        note(warning)
    _print(found, as_json=as_json)
    if all(labels.error is not None for _, labels in found.results):
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


def _print(found: Classified, *, as_json: bool) -> None:
    if not as_json:
        _show(found)
        return
    print_json(
        {
            "model": found.model,
            "label_set": found.label_set,
            "head": found.head,
            "warnings": [*found.warnings],
            "results": [_entry(image, labels) for image, labels in found.results],
        }
    )


def _entry(image: Path, found: Labels) -> JSONObject:
    """Return the entry of an image in the shape of ``POST /v1/classify``."""
    if found.error is not None:
        error: JSONObject = {"message": str(found.error), "code": found.error.code}
        return {"image": str(image), "status": "error", "error": error}
    return {
        "image": str(image),
        "status": "ok",
        "label": found.label,
        "abstained": found.abstained,
        "reason": found.reason,
        "labels": [
            {
                "label": item.label,
                "score": round(item.score, _DIGITS),
                "cosine": round(item.cosine, _DIGITS),
                "background": item.background,
            }
            for item in found.labels
        ],
        "calibrated": found.calibrated,
        "prediction_set": None if found.prediction_set is None else [*found.prediction_set],
    }


def _show(found: Classified) -> None:
    rows = [
        [str(image), item.label, f"{item.score:.4f}", f"{item.cosine:.4f}"]
        for image, labels in found.results
        for item in labels.labels
    ]
    if rows:
        print_table(["image", "label", "score", "cosine"], rows)
    for image, labels in found.results:
        if labels.reason is not None:
            note(f"{image}: no label ({labels.reason})")
        if labels.prediction_set is not None:
            note(f"{image}: one of {', '.join(labels.prediction_set)}")
