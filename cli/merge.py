"""``sightline models merge``: one model out of several of the same architecture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import click

from cli.output import note, print_json, print_lines, print_table
from cli.progress import terminal_progress
from core.errors import ConfigError
from core.types import JSONObject, JSONValue

if TYPE_CHECKING:
    from training.merging.merge import MergeOutcome

Method = Literal["interpolate", "uniform", "greedy"]
Metric = Literal["mrr", "hit@1", "hit@5", "hit@10", "zero_shot_accuracy"]
Device = Literal["auto", "cpu", "cuda"]
_DIRECTIONS = ("text_to_image", "image_to_text")
_COLUMNS = ("hit@1", "hit@5", "hit@10", "mrr")
_ACCURACY = "zero_shot_accuracy"


@click.command("merge")
@click.argument("sources", nargs=-1, required=True)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="New open_clip folder.")
@click.option(
    "--method",
    type=click.Choice(get_args(Method)),
    default="interpolate",
    show_default=True,
    help="Between BASE and TUNED; the mean of all; the mean of those that help.",
)
@click.option("--alpha", type=click.FloatRange(0.0, 1.0), help="Share of the tuned model.")
@click.option("--alphas", help="Shares to try, with commas.  [default: 0,0.1,...,1]")
@click.option("--val", type=click.Path(path_type=Path), help="Pairs that decide.")
@click.option(
    "--keep", type=click.Path(path_type=Path), help="Pairs that show what general ability is lost."
)
@click.option(
    "--metric",
    type=click.Choice(get_args(Metric)),
    default="mrr",
    show_default=True,
    help="What decides: a mean over both directions, or the labels of the pairs.",
)
@click.option("--templates", help="Template set for labels.  [default: the label alone]")
@click.option("--batch", type=click.IntRange(min=1), default=256, show_default=True)
@click.option("--device", type=click.Choice(get_args(Device)), default="auto", show_default=True)
@click.option(
    "--export",
    "export_to",
    type=click.Path(path_type=Path),
    help="Also write a model folder that serves without torch.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(
    sources: tuple[str, ...],
    *,
    out: Path,
    method: Method,
    alpha: float | None,
    alphas: str | None,
    val: Path | None,
    keep: Path | None,
    metric: Metric,
    templates: str | None,
    batch: int,
    device: Device,
    export_to: Path | None,
    as_json: bool,
) -> None:
    """Merge SOURCES into one model: BASE and TUNED, or any number of runs.

    A source is a run (RUN), its checkpoints (RUN/checkpoints), a model folder, local-dir:FOLDER or
    NAME/TAG. Interpolating a fine-tuned model with its base (WiSE-FT) often keeps what the base
    could do and loses little of what was learned; averaging runs that differ in settings (soup)
    often beats the best of them.

    \b
    Examples:
      sightline models merge ViT-B-32/laion2b_s34b_b79k runs/tuned --val heldout.jsonl \\
          --keep general.jsonl --out models/wise
      sightline models merge local-dir:base runs/tuned --alpha 0.5 --out models/half
      sightline models merge runs/a runs/b runs/c --method greedy --val heldout.jsonl --out soup
      sightline models merge runs/tuned/checkpoints --method uniform --out models/averaged
    """
    try:
        from training.merging.merge import MergeRequest, run_merge
    except ModuleNotFoundError as error:
        from encoders.loading import require_training_extra

        raise require_training_extra(error) from error

    request = MergeRequest(
        sources=sources,
        target=out,
        method=method,
        alphas=parse_alphas(alpha, alphas),
        val=val,
        keep=keep,
        metric=metric,
        templates=(templates,) if templates else (),
        batch_size=batch,
        device=device,
    )
    outcome = run_merge(request, progress=terminal_progress)
    if export_to is not None:
        from encoders.export import export_model

        export_model(f"local-dir:{out}", export_to, name=export_to.name)
    _say_warnings(outcome)
    if as_json:
        print_json(_summary(outcome, export_to))
    else:
        _print_result(outcome, method)


def parse_alphas(alpha: float | None, alphas: str | None) -> tuple[float, ...]:
    """Return the shares to try; empty where neither option is given.

    Raises:
        ConfigError: both are given, or one is no number.
    """
    if alpha is not None and alphas is not None:
        raise ConfigError("give --alpha or --alphas, not both")
    if alpha is not None:
        return (alpha,)
    try:
        return tuple(float(part) for part in (alphas or "").split(",") if part.strip())
    except ValueError as error:
        raise ConfigError(f"--alphas {alphas}: expected numbers with commas, 0,0.5,1") from error


def _say_warnings(outcome: MergeOutcome) -> None:
    for warning in outcome.warnings:
        note(f"warning: {warning}")
    if outcome.skipped:
        name, reason = next(iter(outcome.skipped.items()))
        note(f"{len(outcome.skipped)} pairs could not be used; the first, {name}: {reason}")


def _print_result(outcome: MergeOutcome, method: Method) -> None:
    """Print what was measured: the pairs that decide, then those that show what is lost."""
    trials = outcome.merged.trials
    title = "alpha" if method == "interpolate" else "model"
    if trials:
        rows = [(trial.name, trial.score.metrics, trial.chosen) for trial in trials]
        _print_metrics(f"{title}, val", rows)
    if trials and trials[0].score.kept:
        rows = [(trial.name, trial.score.kept, trial.chosen) for trial in trials]
        _print_metrics(f"{title}, keep", rows)
    shares = ", ".join(f"{share:.3g} x {name}" for name, share in outcome.merged.parts.items())
    print_lines([f"{outcome.target}: {shares}"])


def _print_metrics(title: str, rows: list[tuple[str, dict[str, float], bool]]) -> None:
    short = {"text_to_image": "text>image", "image_to_text": "image>text"}
    columns = [
        (f"{way}_{name}", f"{short[way]} {name}") for way in _DIRECTIONS for name in _COLUMNS
    ]
    columns += [(_ACCURACY, "accuracy")] if _ACCURACY in rows[0][1] else []
    table = []
    for name, metrics, chosen in rows:
        values = [f"{100 * metrics[key]:.1f}" for key, _ in columns]
        table.append([name, *values, "*" if chosen else ""])
    print_table([title, *(shown for _, shown in columns), "chosen"], table)


def _summary(outcome: MergeOutcome, export_to: Path | None) -> JSONObject:
    trials: list[JSONValue] = [
        {
            "name": trial.name,
            "chosen": trial.chosen,
            "val": dict(trial.score.metrics),
            "keep": dict(trial.score.kept),
        }
        for trial in outcome.merged.trials
    ]
    return {
        "model": str(outcome.target),
        "exported": str(export_to) if export_to else None,
        "parts": dict(outcome.merged.parts),
        "trials": trials,
        "warnings": list(outcome.warnings),
        "skipped": dict(outcome.skipped),
    }
