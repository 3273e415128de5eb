"""``sightline data``: look at pairs before a run, filter them, take duplicates out."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.data_tables import show_check, show_dedup, show_filter
from cli.output import note, print_json
from core.errors import ConflictError, UsageError
from training.doctor.near import DEFAULT_NEAR, MOST_NEAR

if TYPE_CHECKING:
    from core.pairs.pair import PairList
    from training.doctor.dedup import Against
    from training.doctor.model_facts import ModelFacts
    from training.doctor.plan import RunPlan
    from training.doctor.scan import Scan
    from training.doctor.scores import Captions

_data = click.argument("data", type=click.Path(path_type=Path))
_image_column = click.option("--image-column", help="Column of a table with the image paths.")
_caption_column = click.option("--caption-column", help="Column of a table with the captions.")
_threads = click.option(
    "--threads", type=click.IntRange(min=0), default=0, help="That decode; 0 is all cores."
)
_near = click.option(
    "--near",
    type=click.IntRange(0, MOST_NEAR),
    default=DEFAULT_NEAR,
    show_default=True,
    help="Bits of 64 in which the hashes of two pictures that look alike may differ.",
)
_out = click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="New .jsonl of the pairs that stay; .dropped.jsonl and .report.json stand beside it.",
)
_json = click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")


@click.group(name="data")
def command() -> None:
    """Look at image-text pairs before a run, filter them, take duplicates out.

    No picture and no file of pairs is ever changed or deleted.

    \b
    Examples:
      sightline data check pairs.jsonl --val heldout.jsonl
      sightline data filter pairs.jsonl --keep-fraction 0.8 --out kept.jsonl
      sightline data dedup pairs.jsonl --against heldout.jsonl --out kept.jsonl
    """


@command.command(name="check")
@_data
@click.option("--model", help="Model folder or open_clip name.  [default: the starter]")
@click.option(
    "--config", "recipe", type=click.Path(path_type=Path), help="Recipe to judge, with its model."
)
@click.option("--val", "heldout", type=click.Path(path_type=Path), help="Held-out pairs.")
@_near
@_image_column
@_caption_column
@_threads
@click.option("--strict", is_flag=True, help="Exit with 1 where there is a problem.")
@click.option("--out", type=click.Path(path_type=Path), help="New .json file for the report.")
@_json
def check(
    *,
    data: Path,
    model: str | None,
    recipe: Path | None,
    heldout: Path | None,
    near: int,
    image_column: str | None,
    caption_column: str | None,
    threads: int,
    strict: bool,
    out: Path | None,
    as_json: bool,
) -> int:
    """Report what DATA holds, what is wrong with it, and where to start.

    Exits with 1 where no pair can be used, and with --strict where there is a problem; warnings
    never count.

    \b
    Examples:
      sightline data check pairs.jsonl
      sightline data check pairs.csv --val heldout.csv --config configs/fine-tune-vit-b-32.toml
      sightline data check photos/ --model models/vit-b-32 --strict --out report.json
    """
    from cli.progress import terminal_progress
    from core.artifacts import write_json
    from training.doctor.check import CheckRequest, check_data

    if out is not None and out.exists():
        raise ConflictError(f"{out} exists already and is not overwritten; choose another --out")
    plan, facts = _plan(model, recipe)
    request = CheckRequest(
        data=data,
        model=facts,
        heldout=heldout,
        plan=plan,
        image_column=image_column,
        caption_column=caption_column,
        near=near,
        threads=threads,
    )
    report = check_data(request, progress=terminal_progress)
    if out is not None:
        write_json(out, report.to_json())
        note(f"report written to {out}")
    if as_json:
        print_json(report.to_json())
    else:
        show_check(report)
    return 1 if report.usable == 0 or (strict and report.has_problems) else 0


@command.command(name="filter")
@_data
@click.option("--model", help="Model folder or open_clip source.  [default: the starter]")
@click.option("--minimum-score", type=float, help="Cosine from which a pair stays.")
@click.option("--keep-fraction", type=float, help="Share of the pairs that stay, the best ones.")
@click.option(
    "--captions",
    type=click.Choice(["best", "mean"]),
    default="best",
    show_default=True,
    help="Score of a pair with several captions.",
)
@_image_column
@_caption_column
@_out
@_json
def filter_command(
    *,
    data: Path,
    model: str | None,
    minimum_score: float | None,
    keep_fraction: float | None,
    captions: Captions,
    image_column: str | None,
    caption_column: str | None,
    out: Path,
    as_json: bool,
) -> None:
    """Keep the pairs of DATA whose picture and caption fit, as a model sees it.

    The score is the cosine of both embeddings. It depends on the model: look at the histogram of
    the report before choosing a limit, and at the dropped pairs before training on the others.

    \b
    Examples:
      sightline data filter pairs.jsonl --keep-fraction 0.8 --out kept.jsonl
      sightline data filter pairs.jsonl --minimum-score 0.25 --model models/vit-b-32 \\
          --out kept.jsonl
    """
    from cli.opening import open_encoder
    from cli.progress import terminal_progress
    from training.doctor.filtering import FilterRule, filter_pairs
    from training.doctor.kept import KeptFiles
    from training.doctor.scores import score_pairs

    rule = FilterRule(minimum_score=minimum_score, keep_fraction=keep_fraction)
    files = KeptFiles.at(out)
    pairs = _read(data, image_column, caption_column)
    with closing(open_encoder(model, None)) as encoder:
        scores = score_pairs(encoder, pairs, captions=captions, progress=terminal_progress)
        result = filter_pairs(pairs, scores, rule)
        report = result.to_json(model=encoder.name, encoder_id=encoder.encoder_id)
    files.write(result.judged, report)
    if as_json:
        print_json(report)
    else:
        show_filter(result, files)


@command.command(name="dedup")
@_data
@_near
@click.option("--exact", is_flag=True, help="Only equal files count, not pictures that look alike.")
@click.option("--captions", is_flag=True, help="Pairs with the same captions are duplicates too.")
@click.option(
    "--merge-captions", is_flag=True, help="Give the captions of dropped pairs to the kept."
)
@click.option(
    "--against", type=click.Path(path_type=Path), help="Also drop what these pairs hold already."
)
@_image_column
@_caption_column
@_threads
@_out
@_json
def dedup_command(
    *,
    data: Path,
    near: int,
    exact: bool,
    captions: bool,
    merge_captions: bool,
    against: Path | None,
    image_column: str | None,
    caption_column: str | None,
    threads: int,
    out: Path,
    as_json: bool,
) -> None:
    """Keep each picture of DATA once: of equal ones that with the most pixels and captions.

    \b
    Examples:
      sightline data dedup pairs.jsonl --out kept.jsonl
      sightline data dedup pairs.jsonl --near 2 --merge-captions --out kept.jsonl
      sightline data dedup pairs.jsonl --exact --against heldout.jsonl --out kept.jsonl
    """
    from training.doctor.dedup import DedupRules, dedup
    from training.doctor.kept import KeptFiles

    rules = DedupRules(
        near=None if exact else near, captions=captions, merge_captions=merge_captions
    )
    files = KeptFiles.at(out)
    pairs = _read(data, image_column, caption_column)
    other = None
    if against is not None:
        other = _other(against, image_column, caption_column, threads)
    result = dedup(pairs, _scan(pairs, threads, "look at pictures"), rules, against=other)
    report = result.to_json(rules)
    files.write(result.judged, report)
    if as_json:
        print_json(report)
    else:
        show_dedup(result, files)


def _plan(model: str | None, recipe: Path | None) -> tuple[RunPlan, ModelFacts]:
    """Return the settings to judge, and the model whose sizes count."""
    from cli.opening import chosen_model
    from encoders.loading import STARTER_MODEL
    from training.doctor.model_facts import facts_of_model
    from training.doctor.plan import RunPlan, read_recipe

    if recipe is None:
        return RunPlan(), facts_of_model(chosen_model(model, None) or STARTER_MODEL)
    if model is not None:
        raise UsageError("give either --model or --config: a recipe names its own model")
    return read_recipe(recipe)


def _other(
    source: Path, image_column: str | None, caption_column: str | None, threads: int
) -> Against:
    from training.doctor.dedup import Against

    pairs = _read(source, image_column, caption_column)
    return Against(str(source), pairs, _scan(pairs, threads, "look at the other pictures"))


def _scan(pairs: PairList, threads: int, title: str) -> Scan:
    from cli.progress import terminal_progress
    from training.doctor.scan import scan_pictures

    return scan_pictures(pairs, threads=threads, title=title, progress=terminal_progress)


def _read(source: Path, image_column: str | None, caption_column: str | None) -> PairList:
    from core.pairs.reading import read_pairs

    return read_pairs(source, image_column=image_column, caption_column=caption_column)
