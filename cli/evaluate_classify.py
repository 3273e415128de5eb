"""``sightline evaluate classify``: zero-shot labels against known classes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.evaluation_options import (
    Output,
    Reading,
    data_argument,
    group_option,
    output_options,
    reading_options,
    statistics_options,
)
from core.errors import UsageError

if TYPE_CHECKING:
    from evaluation.classify import ClassifyOptions
    from evaluation.embeddings import Embeddings
    from evaluation.estimates import Statistics
    from evaluation.report import Report
    from zeroshot.labels import Label
    from zeroshot.templates import TemplateSet

_path = click.Path(path_type=Path)


@click.command(name="classify")
@data_argument
@reading_options
@click.option("--labels", help="Classes, with commas, or a .txt file.  [default: those of DATA]")
@click.option("--label-set", help="name or name@version, instead of --labels.")
@click.option("--gallery", type=_path, help="Where label sets are stored.")
@click.option(
    "--templates", "templates_name", help="Template set or .txt file.  [default: imagenet7]"
)
@click.option("--ablate-templates", is_flag=True, help="Score each template alone, and without it.")
@click.option("--calibrate", type=_path, help="Other labelled pairs, to fit the temperature on.")
@click.option(
    "--conformal",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Share of prediction sets that may miss the truth; needs --calibrate.",
)
@click.option("--unknown", type=_path, help="Images of none of the classes.")
@click.option("--url", help="Score a running server instead, with its model and latency.")
@click.option("--train", type=_path, help="Training pairs: count shared images.")
@group_option
@statistics_options
@output_options
def command(
    *,
    data: Path,
    reading: Reading,
    labels: str | None,
    label_set: str | None,
    gallery: Path | None,
    templates_name: str | None,
    ablate_templates: bool,
    calibrate: Path | None,
    conformal: float | None,
    unknown: Path | None,
    url: str | None,
    train: Path | None,
    group_by: str | None,
    statistics: Statistics,
    output: Output,
) -> None:
    """Label the images of DATA and compare with their classes.

    The class is the label of a table, or the sub-folder that an image is in. What is fitted is
    fitted on other pairs than DATA.

    \b
    Examples:
      sightline evaluate classify photos-by-class
      sightline evaluate classify pairs.jsonl --labels cat,dog,bird --out reports/pets
      sightline evaluate classify test.npz --calibrate val.npz --conformal 0.1 --ablate-templates
      sightline evaluate classify photos-by-class --url http://127.0.0.1:8000 --label-set pets
    """
    from cli.evaluate_served_labels import served_report
    from cli.evaluation_labels import wanted_labels
    from cli.evaluation_overlap import count_overlap
    from cli.evaluation_tables import finish
    from evaluation.classify import ClassifyOptions

    options = ClassifyOptions(group_by, ablate_templates, conformal, statistics)
    held_there = label_set if url is not None else None
    if held_there and (labels or templates_name or gallery):
        raise UsageError(
            "--url with --label-set scores the label set that the server holds, as it is; leave "
            "--labels, --templates and --gallery out"
        )
    wanted = wanted_labels(labels, None if held_there else label_set, templates_name, gallery)
    if url is None:
        named = any(option is not None for option in (labels, label_set, templates_name))
        beside = (calibrate, unknown)
        report = _offline(data, reading, wanted, options, beside=beside, named=named)
    elif calibrate or unknown or ablate_templates or reading.model:
        raise UsageError(
            "--url scores the server as it is; --model, --calibrate, --unknown and "
            "--ablate-templates are for evaluations on this machine"
        )
    else:
        report = served_report(
            data, reading, url, label_set=held_there, wanted=wanted, options=options
        )
    if train is not None:
        report = count_overlap(report, data, train, reading)
    finish(report, output)


def _offline(
    data: Path,
    reading: Reading,
    wanted: tuple[Sequence[str | Label] | None, TemplateSet | None],
    options: ClassifyOptions,
    *,
    beside: tuple[Path | None, Path | None],
    named: bool,
) -> Report:
    from cli.evaluation_data import open_data
    from cli.evaluation_labels import require_labels
    from evaluation.classify import evaluate_classify
    from evaluation.slices import check_field

    labels, templates = wanted
    embeddings = open_data(data, reading, labels=labels, templates=templates)
    if named:
        require_labels(embeddings, data, labels, templates)
    check_field(embeddings.pairs, options.group_by)
    calibrate, unknown = beside
    return evaluate_classify(
        embeddings,
        options,
        calibration=_beside(calibrate, reading, embeddings),
        unknown=_beside(unknown, reading, embeddings),
    )


def _beside(data: Path | None, reading: Reading, first: Embeddings) -> Embeddings | None:
    """Return further pairs as vectors of the same model."""
    from cli.evaluation_data import is_embeddings, open_data
    from core.errors import EncoderMismatchError

    if data is None:
        return None
    own = Reading(reading.model, None, None, None, None, None)
    found = open_data(data, Reading(*(None,) * 6) if is_embeddings(data) else own)
    if found.provenance.encoder_id != first.provenance.encoder_id:
        raise EncoderMismatchError(
            f"{data} was embedded by {found.provenance.encoder_id}, the images to score by "
            f"{first.provenance.encoder_id}; embed both with one model"
        )
    return found
