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
    from cli.label_options import LabelOptions
    from core.types import JSONValue
    from encoders.encoder import Encoder
    from evaluation.images import EmbeddedImages
    from zeroshot.classifier import Ensemble, Mode
    from zeroshot.fitted_classifier import FittedClassifier
    from zeroshot.labelling import Labelled, LabellingOptions

_FILES_WORTH_A_PROGRESS = 32


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
      sightline classify photos --label-set pets --alpha 0.1 --min-cosine 0.2 --crops 5
    """
    from cli.label_options import label_options
    from cli.opening import open_encoder
    from zeroshot.abstention import Abstain
    from zeroshot.labelling import LabellingOptions, label_images

    chosen = label_options(labels=labels, label_set=label_set, templates=templates, gallery=gallery)
    rules = Abstain(min_score, min_margin, min_cosine, max_energy)
    abstain = rules if no_abstain or rules != Abstain() else None
    options = LabellingOptions(mode, top, temperature, abstain, alpha)
    paths = _files(images)
    with closing(open_encoder(model, gallery)) as encoder:
        embedded = _embedded(encoder, paths, crops=int(crops))
        fitted = _fitted(
            encoder, chosen, ensemble, options, crops=int(crops), head=not no_head, gallery=gallery
        )
        labelled = label_images(
            fitted.classifier, embedded.embeddings_GD, options, calibration=fitted.calibration
        )
        encoder_id = encoder.encoder_id
    for warning in (*fitted.warnings, *labelled.warnings):
        note(warning)
    if as_json:
        print_json(
            {
                "model": encoder_id,
                "label_set": None if chosen.stored is None else chosen.stored.reference,
                "head": fitted.head_object(),
                "warnings": [*fitted.warnings, *labelled.warnings],
                "results": _results(paths, embedded, labelled),
            }
        )
    else:
        _show(paths, embedded, labelled)
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


def _embedded(encoder: Encoder, paths: list[Path], *, crops: int) -> EmbeddedImages:
    """Embed the files and name the ones that cannot be read."""
    from cli.progress import terminal_progress
    from core.progress import silent
    from evaluation.images import embed_images

    progress = terminal_progress if len(paths) >= _FILES_WORTH_A_PROGRESS else silent
    embedded = embed_images(encoder, paths, crops=crops, progress=progress)
    for failed in embedded.failed:
        note(f"{failed.image}: {failed.message}")
    return embedded


def _fitted(
    encoder: Encoder,
    chosen: LabelOptions,
    ensemble: Ensemble,
    options: LabellingOptions,
    *,
    crops: int,
    head: bool,
    gallery: Path | None,
) -> FittedClassifier:
    """Return the classifier of the labels with what was fitted for them."""
    from cli.label_options import label_sets_folder
    from zeroshot.classifier import build_classifier
    from zeroshot.fitted_classifier import FittedClassifier, LabelUse, fitted_classifier
    from zeroshot.fitted_store import FittedStore

    classifier = build_classifier(encoder, chosen.labels, chosen.templates, ensemble=ensemble)
    if chosen.stored is None:
        return FittedClassifier(classifier)
    use = LabelUse(chosen.stored, chosen.templates.digest, options.mode, crops, head)
    return fitted_classifier(FittedStore(label_sets_folder(gallery)), classifier, use)


def _results(paths: list[Path], embedded: EmbeddedImages, labelled: Labelled) -> list[JSONValue]:
    """Return an entry per image, in order, in the shape of ``POST /v1/classify``."""
    from zeroshot.labelling import image_labels_object

    results: dict[int, JSONValue] = {
        failed.place: {
            "image": str(failed.image),
            "status": "error",
            "error": {"message": failed.message, "code": failed.code},
        }
        for failed in embedded.failed
    }
    for place, found in zip(embedded.places_G, labelled.images, strict=True):
        results[place] = {"image": str(paths[place]), **image_labels_object(found)}
    return [results[place] for place in range(len(paths))]


def _show(paths: list[Path], embedded: EmbeddedImages, labelled: Labelled) -> None:
    rows = []
    for place, found in zip(embedded.places_G, labelled.images, strict=True):
        for item in found.top:
            cells = [str(paths[place]), item.label, f"{item.score:.4f}", f"{item.cosine:.4f}"]
            rows.append(cells)
    if rows:
        print_table(["image", "label", "score", "cosine"], rows)
    for place, found in zip(embedded.places_G, labelled.images, strict=True):
        if found.reason is not None:
            note(f"{paths[place]}: no label ({found.reason})")
        if found.prediction_set is not None:
            note(f"{paths[place]}: one of {', '.join(found.prediction_set)}")
