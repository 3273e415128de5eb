"""``sightline train``: train a dual encoder on image-text pairs."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.output import note, print_json, print_lines, print_table
from cli.progress import terminal_progress
from core.errors import ConfigError
from core.types import JSONObject

if TYPE_CHECKING:
    from training.run import TrainOutcome

_NAMED_SKIPPED = 5
_INTERRUPTED = 130


@click.command()
@click.argument("data", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--val", "heldout", type=click.Path(path_type=Path), help="Held-out pairs.")
@click.option(
    "--config",
    "recipe",
    type=click.Path(path_type=Path),
    required=True,
    help="Recipe, for example configs/from-scratch-small.toml.",
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of the run.")
@click.option(
    "--weights", metavar="W,W,...", help="Share of each DATA in an epoch; default: every pair once."
)
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change one setting.")
@click.option("--resume", is_flag=True, help="Go on from the newest checkpoint in --out.")
@click.option(
    "--export",
    "export_to",
    type=click.Path(path_type=Path),
    help="Also write a model folder that serves without torch.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(
    data: tuple[Path, ...],
    *,
    heldout: Path | None,
    recipe: Path,
    out: Path,
    weights: str | None,
    overrides: tuple[str, ...],
    resume: bool,
    export_to: Path | None,
    as_json: bool,
) -> int:
    """Train a dual encoder on the pairs in DATA, one source or several.

    DATA is a folder of pictures (captions in .txt or .json files beside them, else classes as
    sub-folders), a .csv, .tsv, .jsonl, .json (COCO, Karpathy) or .parquet file, webdataset tars, or
    a saved Hugging Face data set; a pattern in quotes is one source, #NAME behind it one split.
    Ctrl-C writes a checkpoint and stops; --resume goes on to the same result.

    \b
    Examples:
      sightline train pairs.jsonl --val heldout.jsonl \\
          --config configs/from-scratch-small.toml --out runs/first
      sightline train photos/ --config configs/fine-tune-vit-b-32.toml --out runs/tuned \\
          --set optimiser.learning_rate=5e-6 --export models/tuned
      sightline train 'shard-{000..127}.tar' shop.csv --weights 2,1 --val 'dataset_coco.json#val' \\
          --config configs/fine-tune-vit-b-32.toml --out runs/mixed
      sightline train photos/ --config configs/fine-tune-vit-b-32.toml --out runs/tuned --resume
    """
    try:
        from training.config import load_config
        from training.run import TrainRequest, run_training
    except ModuleNotFoundError as error:
        from encoders.loading import require_training_extra

        raise require_training_extra(error) from error

    settings = parse_overrides(overrides)
    if weights is not None:
        settings["data.weights"] = weights
    config = load_config(recipe, settings)
    request = TrainRequest(data=data, heldout=heldout, config=config, folder=out, resume=resume)
    outcome = run_training(request, progress=terminal_progress)
    if not outcome.is_first:
        return _INTERRUPTED if outcome.result.interrupted else 0
    if export_to is not None and outcome.model is not None:
        from encoders.export import export_model

        export_model(f"local-dir:{outcome.model}", export_to, name=export_to.name)
    _say_skipped(outcome, out)
    _say_few_captions(outcome, batch_size=config.data.batch_size)
    if as_json:
        print_json(_summary(outcome, out, export_to))
    else:
        _print_result(outcome)
    note(_next_command(outcome, export_to))
    return _INTERRUPTED if outcome.result.interrupted else 0


def parse_overrides(overrides: Iterable[str]) -> dict[str, str]:
    """Return ``KEY=VALUE`` texts as a table.

    Raises:
        ConfigError: a text without an equals sign.
    """
    table: dict[str, str] = {}
    for text in overrides:
        key, equals, value = text.partition("=")
        if not equals:
            raise ConfigError(f"--set {text}: expected KEY=VALUE, for example schedule.epochs=5")
        table[key.strip()] = value.strip()
    return table


def _print_result(outcome: TrainOutcome) -> None:
    result = outcome.result
    print_lines([f"trained {result.steps} of {result.horizon} steps on {outcome.num_pairs} pairs"])
    if not result.metrics:
        print_lines(["no held-out pairs were given (--val), so nothing was measured"])
        return
    rows = []
    for direction in ("text_to_image", "image_to_text"):
        for prefix, suffix in (("", ""), ("chance_", ", by chance")):
            values = [result.metrics[f"{direction}_{prefix}hit@{k}"] for k in (1, 5, 10)]
            title = direction.replace("_", " ") + suffix
            rows.append([title, *[f"{100 * value:.1f}" for value in values]])
    print_table(["held-out pairs, %", "hit@1", "hit@5", "hit@10"], rows)


def _summary(outcome: TrainOutcome, out: Path, export_to: Path | None) -> JSONObject:
    result = outcome.result
    return {
        "run": str(out),
        "steps": result.steps,
        "horizon": result.horizon,
        "interrupted": result.interrupted,
        "pairs": outcome.num_pairs,
        "distinct_captions": outcome.num_distinct_captions,
        "skipped": dict(outcome.skipped),
        "metrics": dict(result.metrics),
        "best": str(result.best),
        "last": str(result.last),
        "model": str(outcome.model) if outcome.model else None,
        "exported": str(export_to) if export_to and outcome.model else None,
    }


def _say_skipped(outcome: TrainOutcome, out: Path) -> None:
    if not outcome.skipped:
        return
    count = len(outcome.skipped)
    note(f"skipped {count} {'pair' if count == 1 else 'pairs'}, named in {out / 'skipped.json'}:")
    for name, reason in list(outcome.skipped.items())[:_NAMED_SKIPPED]:
        note(f"  {name}: {reason}")


def _say_few_captions(outcome: TrainOutcome, *, batch_size: int) -> None:
    if outcome.num_distinct_captions < batch_size:
        note(
            f"the pairs have only {outcome.num_distinct_captions} different captions, fewer than a "
            f"batch of {batch_size}; equal ones are not told apart, so a smaller "
            "data.batch_size costs nothing"
        )


def _next_command(outcome: TrainOutcome, export_to: Path | None) -> str:
    if outcome.model is None:
        arguments = [argument for argument in sys.argv[1:] if argument != "--resume"]
        return f"stopped; go on with:\n  {shlex.join(['sightline', *arguments, '--resume'])}"
    if export_to is not None:
        return (
            f"the model is in {export_to}; next:\n"
            f"  sightline add PICTURES --model {shlex.quote(str(export_to))}"
        )
    source = shlex.quote(f"local-dir:{outcome.model}")
    return (
        f"the model is in {outcome.model}; next:\n"
        f"  sightline models export {source} --out models/{outcome.model.parent.name}"
    )
