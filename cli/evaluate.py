"""``sightline evaluate``: score retrieval and zero-shot labels offline, on your own pairs."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.evaluate_compare import command as compare
from cli.evaluate_gate import command as gate
from cli.evaluation_tables import show_retrieval, show_zero_shot
from cli.output import note, print_json, print_lines
from cli.ranked_list import read_ranked_list
from core.errors import UsageError

if TYPE_CHECKING:
    from core.pairs.pair import Pair
    from encoders.encoder import Encoder
    from evaluation.report import Report
    from evaluation.retrieval import Direction

_MOST_FAILURES_SHOWN = 10

_model = click.option("--model", help="Model folder or open_clip source.  [default: the starter]")
_data = click.argument("data", type=click.Path(path_type=Path))
_image_column = click.option("--image-column", help="Column of a table with the image paths.")
_limit = click.option("--limit", type=click.IntRange(min=1), help="Use the first N pairs only.")
_out = click.option("--out", type=click.Path(path_type=Path), help="New folder for the report.")
_json = click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")


@click.group(name="evaluate")
def command() -> None:
    """Score a model on your own pairs.

    Pairs are a folder of pictures, a .csv, .tsv, .jsonl, .json or .parquet file, webdataset tars,
    or a saved Hugging Face data set; a pattern in quotes is one source, #NAME behind it one split.

    \b
    Examples:
      sightline evaluate retrieval pairs.jsonl --k 1,5,10
      sightline evaluate retrieval 'dataset_coco.json#test'
      sightline evaluate zeroshot photos-by-class --templates imagenet7
      sightline evaluate ranking TTFFFTFT --relevant 4
    """


@command.command(name="retrieval")
@_data
@_model
@click.option("--k", "ks", default="1,5,10", show_default=True, help="Cut-offs, with commas.")
@click.option(
    "--direction",
    type=click.Choice(["text_to_image", "image_to_text"]),
    default="text_to_image",
    show_default=True,
    help="What asks for what.",
)
@_image_column
@click.option("--caption-column", help="Column of a table with the captions.")
@_limit
@_out
@_json
def retrieval(
    *,
    data: Path,
    model: str | None,
    ks: str,
    direction: Direction,
    image_column: str | None,
    caption_column: str | None,
    limit: int | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Search the images of DATA by its captions, or the captions by the images.

    precision@k is r/k, recall@k the fraction of the relevant items found, hit@k what the CLIP
    papers call R@k. Means over queries.

    \b
    Examples:
      sightline evaluate retrieval pairs.jsonl
      sightline evaluate retrieval pairs.csv --direction image_to_text --out reports/first
      sightline evaluate retrieval coco.tsv --image-column filepath --caption-column title --json
    """
    from cli.progress import terminal_progress
    from evaluation.retrieval import evaluate_retrieval

    cut_offs = _cut_offs(ks)
    pairs = _read(data, image_column, caption_column, limit=limit, out=out)
    with closing(_open_encoder(model)) as encoder:
        report = evaluate_retrieval(
            encoder, pairs, ks=cut_offs, direction=direction, progress=terminal_progress
        )
    _finish(report, out=out, as_json=as_json)
    if not as_json:
        show_retrieval(report)


@command.command(name="zeroshot")
@_data
@_model
@click.option("--labels", help="Classes, with commas.  [default: the labels of DATA]")
@click.option("--label-set", help="name or name@version, instead of --labels.")
@click.option("--gallery", type=click.Path(path_type=Path), help="Where label sets are stored.")
@click.option("--templates", "templates_name", help="Template set.  [default: imagenet7]")
@_image_column
@_limit
@_out
@_json
def zeroshot(
    *,
    data: Path,
    model: str | None,
    labels: str | None,
    label_set: str | None,
    gallery: Path | None,
    templates_name: str | None,
    image_column: str | None,
    limit: int | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Label the images of DATA and compare with their classes.

    The class is the label of a table, or the sub-folder that an image is in.

    \b
    Examples:
      sightline evaluate zeroshot photos-by-class
      sightline evaluate zeroshot pairs.jsonl --labels cat,dog,bird --out reports/pets
      sightline evaluate zeroshot pairs.csv --label-set imagenet --templates imagenet80 --json
    """
    from cli.labels import chosen_labels
    from cli.progress import terminal_progress
    from evaluation.zero_shot import evaluate_zero_shot

    chosen, templates = chosen_labels(
        labels=labels, label_set=label_set, templates=templates_name, gallery=gallery
    )
    pairs = _read(data, image_column, None, limit=limit, out=out)
    with closing(_open_encoder(model)) as encoder:
        report = evaluate_zero_shot(
            encoder, pairs, labels=chosen, templates=templates, progress=terminal_progress
        )
    _finish(report, out=out, as_json=as_json)
    if not as_json:
        show_zero_shot(report)


@command.command(name="ranking")
@click.argument("ranked")
@click.option("--relevant", type=int, help="Relevant items in all.  [default: those in the list]")
@_json
def ranking(*, ranked: str, relevant: int | None, as_json: bool) -> None:
    """Score one ranked list: T for relevant, F for not, best place first; or a JSON file.

    The file holds {"ranked": [true, false, ...], "relevant": 4}.

    \b
    Examples:
      sightline evaluate ranking TTFFFTFT --relevant 4
      sightline evaluate ranking list.json --json
    """
    from evaluation import metrics

    hits, in_all = read_ranked_list(ranked, relevant=relevant)
    ranks_R = metrics.ranks_of(hits)
    curve = metrics.rank_curve(ranks_R, len(hits), relevant=in_all)
    average = metrics.average_precision(ranks_R, relevant=in_all)
    reciprocal = metrics.reciprocal_rank(ranks_R)
    precisions: list[float] = curve.precision_K.tolist()
    recalls: list[float] = curve.recall_K.tolist()
    if as_json:
        print_json(
            {
                "precision": list(precisions),
                "recall": list(recalls),
                "average_precision": average,
                "reciprocal_rank": reciprocal,
                "relevant": in_all,
            }
        )
        return
    print_lines(
        [
            f"precision {_two_decimals(precisions)}",
            f"recall {_two_decimals(recalls)}",
            f"average precision {average:.2f}",
            f"reciprocal rank {reciprocal:.2f}",
        ]
    )


def _open_encoder(model: str | None) -> Encoder:
    from cli.opening import open_encoder

    return open_encoder(model, None)


def _cut_offs(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError as error:
        raise UsageError(
            f"--k {text!r}: expected numbers with commas, for example 1,5,10"
        ) from error


def _read(
    data: Path,
    image_column: str | None,
    caption_column: str | None,
    *,
    limit: int | None,
    out: Path | None,
) -> list[Pair]:
    """Return the pairs, after refusing an ``--out`` that would fail when all is computed."""
    from core.pairs.reading import read_pairs
    from evaluation.report import refuse_existing

    if out is not None:
        refuse_existing(out)
    pairs = read_pairs(data, image_column=image_column, caption_column=caption_column)
    for name, reason in list(pairs.skipped.items())[:_MOST_FAILURES_SHOWN]:
        note(f"skipped {name}: {reason}")
    return pairs[:limit]


def _finish(report: Report, *, out: Path | None, as_json: bool) -> None:
    """Write and print what both evaluations have."""
    from evaluation.report import report_json, write_report

    for failed in report.failed[:_MOST_FAILURES_SHOWN]:
        note(f"skipped {failed.image}: {failed.message}")
    if len(report.failed) > _MOST_FAILURES_SHOWN:
        note(f"... and {len(report.failed) - _MOST_FAILURES_SHOWN} more; --json names them all")
    if out is not None:
        write_report(report, out)
        note(f"report written to {out}")
    if as_json:
        print_json(report_json(report))


def _two_decimals(values: Sequence[float]) -> str:
    return " ".join(f"{value:.2f}" for value in values)


command.add_command(compare)
command.add_command(gate)
