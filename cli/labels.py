"""``sightline labels``: save label sets, teach them by examples, calibrate them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.any_gallery import url_option
from cli.any_label_sets import NewCalibration, NewExamples, NewLabelSet, any_label_sets
from cli.labels_report import show_calibration, show_head, show_label_set
from cli.output import note, print_json, print_lines, print_table
from core.errors import UsageError

if TYPE_CHECKING:
    from zeroshot.classifier import Mode
    from zeroshot.conformal import Method
    from zeroshot.few_shot import HeadChoice

_gallery = click.option(
    "--gallery", type=click.Path(path_type=Path), help="Folder of the gallery.  [default: gallery]"
)
_model = click.option(
    "--model", help="Model folder or open_clip source.  [default: the gallery's, or the starter]"
)
_data = click.argument("data", type=click.Path(path_type=Path))
_replace = click.option("--replace", is_flag=True, help="Forget the images given before.")
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group(name="labels")
def command() -> None:
    """Keep label sets beside a gallery, and fit them to pictures of yours.

    A label set never changes: saving under its name makes the next version.

    \b
    Examples:
      sightline labels save pets --labels cat,dog,parrot --background "other animal"
      sightline labels add-examples pets photos-by-class
      sightline labels calibrate pets other-photos-by-class --unknown photos-of-else
      sightline labels show pets
      sightline labels list --url http://photos.example:8000
    """


@command.command(name="save")
@click.argument("name")
@click.option("--labels", help="The labels, with commas between them.")
@click.option(
    "--file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A .txt file, one label a line; or .json, a list of texts and objects.",
)
@click.option("--background", help="Labels, with commas, where no label is given if one wins.")
@click.option("--templates", default="imagenet7", show_default=True, help="Template set.")
@click.option("--concept", help="What the labels are, for example 'land use'.")
@click.option("--language", help="A note on the language of the labels.")
@_gallery
@url_option
@_json
def save(
    *,
    name: str,
    labels: str | None,
    file: Path | None,
    background: str | None,
    templates: str,
    concept: str | None,
    language: str | None,
    gallery: Path | None,
    url: str | None,
    as_json: bool,
) -> None:
    """Save labels under NAME; an object of a .json file has text, aliases, prompts, background.

    \b
    Examples:
      sightline labels save pets --labels cat,dog,parrot --templates single
      sightline labels save land --file land.json --concept "land use" --templates eurosat
    """
    from cli.label_files import read_labels
    from zeroshot.labels import Label

    if (labels is None) == (file is None):
        raise UsageError("give the labels once: --labels cat,dog or --file FILE")
    given = read_labels(file) if file else [Label(text) for text in (labels or "").split(",")]
    given += [Label(text, background=True) for text in (background or "").split(",") if text]
    new = NewLabelSet(name, given, templates, concept, language)
    saved = any_label_sets(gallery=gallery, url=url).save(new)
    for warning in saved.warnings:
        note(warning)
    show_label_set(saved, as_json=as_json)


@command.command(name="list")
@_gallery
@url_option
@_json
def list_label_sets(*, gallery: Path | None, url: str | None, as_json: bool) -> None:
    """List the newest version of every label set."""
    found = any_label_sets(gallery=gallery, url=url).list()
    if as_json:
        print_json({"label_sets": [item.object for item in found]})
        return
    rows = [[item.reference, str(len(item.labels)), item.template_set] for item in found]
    print_table(["label set", "labels", "templates"], rows)


@command.command(name="show")
@click.argument("name")
@_gallery
@url_option
@_json
def show(*, name: str, gallery: Path | None, url: str | None, as_json: bool) -> None:
    """Show the label set NAME or NAME@VERSION."""
    show_label_set(any_label_sets(gallery=gallery, url=url).get(name), as_json=as_json)


@command.command(name="templates")
@click.argument("name", required=False)
def templates(*, name: str | None) -> None:
    """List the template sets, or the templates of the set NAME."""
    from zeroshot.templates import template_set, template_set_names

    if name is not None:
        print_lines(template_set(name).templates)
        return
    sets = [template_set(known) for known in template_set_names()]
    rows = [[item.name, str(len(item.templates)), item.templates[0]] for item in sets]
    print_table(["templates", "number", "the first"], rows)


@command.command(name="add-examples")
@click.argument("name")
@_data
@click.option("--validation", type=click.Path(path_type=Path), help="Images to choose by.")
@click.option(
    "--head",
    type=click.Choice(["best", "text", "class_means", "tip_adapter", "logistic"]),
    default="best",
    show_default=True,
    help="best: the most accurate on images that were not learnt from.",
)
@_replace
@_gallery
@url_option
@_model
@_json
def add_examples(
    *,
    name: str,
    data: Path,
    validation: Path | None,
    head: HeadChoice,
    replace: bool,
    gallery: Path | None,
    url: str | None,
    model: str | None,
    as_json: bool,
) -> None:
    """Learn the label set NAME from DATA: a folder per label, or a table with a column "label".

    Examples count together with those given before. Without --validation they are held out in turn.

    \b
    Examples:
      sightline labels add-examples pets photos-by-class
      sightline labels add-examples pets train.csv --validation validation.csv --head class_means
      sightline labels add-examples pets photos-by-class --url http://photos.example:8000
    """
    label_sets = any_label_sets(gallery=gallery, url=url, model=model)
    given = NewExamples(data, validation, head, replace)
    show_head(label_sets.add_examples(name, given), as_json=as_json)


@command.command(name="calibrate")
@click.argument("name")
@_data
@click.option("--unknown", type=click.Path(path_type=Path), help="Images of none of the labels.")
@click.option("--mode", type=click.Choice(["single", "multi"]), default="single", show_default=True)
@click.option("--keep", type=float, default=0.95, show_default=True, help="Share still labelled.")
@click.option("--target-precision", type=float, help="Ask for a least score of each label.")
@click.option("--conformal", type=click.Choice(["lac", "aps"]), default="lac", show_default=True)
@click.option("--per-label", is_flag=True, help="Prediction sets with a threshold per label.")
@_replace
@_gallery
@url_option
@_model
@_json
def calibrate(
    *,
    name: str,
    data: Path,
    unknown: Path | None,
    mode: Mode,
    keep: float,
    target_precision: float | None,
    conformal: Method,
    per_label: bool,
    replace: bool,
    gallery: Path | None,
    url: str | None,
    model: str | None,
    as_json: bool,
) -> None:
    """Fit scores, thresholds and prediction sets of the label set NAME on DATA.

    Use other images than the examples of the head.

    \b
    Examples:
      sightline labels calibrate pets photos-by-class --unknown photos-of-else
      sightline labels calibrate pets validation.csv --target-precision 0.95 --conformal aps
    """
    from zeroshot.calibration import CalibrationOptions

    options = CalibrationOptions(mode, keep, target_precision, conformal, per_label)
    label_sets = any_label_sets(gallery=gallery, url=url, model=model)
    given = NewCalibration(data, unknown, options, replace)
    show_calibration(label_sets.calibrate(name, given), as_json=as_json)
