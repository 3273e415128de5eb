"""``sightline evaluate probe``: a linear classifier on frozen image vectors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.evaluation_options import (
    Output,
    Reading,
    output_options,
    reading_options,
    statistics_options,
)
from cli.output import note, print_lines, print_table
from core.errors import UsageError

if TYPE_CHECKING:
    from evaluation.estimates import Statistics
    from evaluation.report import Report
    from zeroshot.heads import HeadKind

_path = click.Path(path_type=Path)


@click.command(name="probe")
@click.option("--train", required=True, type=_path, help="Labelled pairs to train on.")
@click.option("--val", required=True, type=_path, help="Labelled pairs to choose the penalty on.")
@click.option("--test", required=True, type=_path, help="Labelled pairs to score.")
@click.option(
    "--shots", default="1,2,4,8,16,all", show_default=True, help="Training images of each class."
)
@click.option(
    "--draws",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    help="Random choices of these images.",
)
@click.option(
    "--head",
    type=click.Choice(["logistic", "class_means", "tip_adapter"]),
    default="logistic",
    show_default=True,
    help="The linear probe, or a head beside the texts of the labels.",
)
@reading_options
@statistics_options
@output_options
def command(
    *,
    train: Path,
    val: Path,
    test: Path,
    shots: str,
    draws: int,
    head: HeadKind,
    reading: Reading,
    statistics: Statistics,
    output: Output,
) -> None:
    """Train classifiers on image vectors, with few images of each class and with all.

    What a head leaves open, like the penalty of the linear probe, is chosen on --val; an image of
    --test among the others is refused. The linear probe needs scikit-learn:
    pip install 'sightline[evaluation]'.

    \b
    Examples:
      sightline evaluate probe --train train.npz --val val.npz --test test.npz
      sightline evaluate probe --train a --val b --test c --shots 1,all --out reports/probe
      sightline evaluate probe --train a --val b --test c --head tip_adapter --shots 1,4,16
    """
    from cli.evaluation_data import is_embeddings, open_data
    from cli.evaluation_tables import finish
    from cli.progress import terminal_progress
    from evaluation.probe import ProbeOptions, train_probes
    from evaluation.probe_report import probe_report

    options = ProbeOptions(_shots(shots), draws, statistics, head)
    empty = Reading(*(None,) * 6)
    labels = () if head == "logistic" else None
    first, second, third = (
        open_data(
            data,
            empty if is_embeddings(data) else reading,
            labels=labels if data is train else (),
        )
        for data in (train, val, test)
    )
    probes = train_probes(first, second, third, options, progress=terminal_progress)
    report = probe_report(probes, third, options)
    if not output.as_json:
        _show(report)
    finish(report, output)


def _show(report: Report) -> None:
    note(
        f"{report.details['train_images']} training, {report.details['validation_images']} "
        "validation images"
    )
    print_table(
        ["shots", "draws", "accuracy", "sd"],
        [
            [
                str(row["shots"]),
                str(row["draws"]),
                f"{row['accuracy']:.4f}",
                "-" if row["sd"] is None else f"{row['sd']:.4f}",
            ]
            for row in report.details["sweep"]  # type: ignore[union-attr]  # a list of objects
            if isinstance(row, dict)
        ],
    )
    print_lines([""])


def _shots(text: str) -> tuple[int | None, ...]:
    try:
        return tuple(None if part.strip() == "all" else int(part) for part in text.split(","))
    except ValueError as error:
        raise UsageError(
            f"--shots {text!r}: expected numbers with commas, or all, for example 1,4,16,all"
        ) from error
