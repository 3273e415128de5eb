"""``sightline models tune``: the quickest runtime here that keeps the answers."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from cli.evaluation_options import Reading
from cli.output import note, print_json, print_lines, print_table
from core.errors import ArtifactError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.pairs.pair import Pair
    from encoders.folder import ModelFolder
    from encoders.runtime_table import RuntimeTable, Variant
    from encoders.tower_plan import Precision, TowerPlan

_MOST_SHOWN = 10


@click.command("tune")
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--pairs", help="Your own pictures with captions: any source of pairs.")
@click.option(
    "--gallery",
    type=click.Path(path_type=Path),
    help="The captioned pictures of a gallery, in place of pairs.",
)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="New model folder.")
@click.option(
    "--precisions",
    default="float32,bfloat16,int8",
    show_default=True,
    help="What to try, with commas. int8 needs the extra tune.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=1000,
    show_default=True,
    help="Use so many pictures, spread over all of them.",
)
@click.option(
    "--rounds",
    type=click.IntRange(min=1),
    default=7,
    show_default=True,
    help="Timings of each way to run the model; their median counts.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the table as JSON.")
def command(
    *,
    model: Path,
    pairs: str | None,
    gallery: Path | None,
    out: Path,
    precisions: str,
    limit: int,
    rounds: int,
    as_json: bool,
) -> None:
    """Write a copy of the model folder MODEL that runs as quickly as this machine can.

    Float32, bfloat16 and int8 are timed, for one item and for many, and compared with float32 on
    your own pictures and captions. What does not keep the ranking is never used. The copy has the
    same encoder id: galleries of MODEL go on to work with it.

    \b
    Examples:
      sightline models tune models/vit-b-32 --pairs photos.jsonl --out models/vit-b-32-fast
      sightline models tune models/vit-b-32 --gallery photos.gallery --out models/fast
      sightline models tune models/mine --pairs p.csv --precisions bfloat16 --out models/bf16
    """
    from cli.progress import terminal_progress
    from encoders.folder import open_model_folder
    from encoders.runtime_table import table_json, write_tuned
    from encoders.runtime_tuning import TuningOptions
    from evaluation.runtime_tuning import tune
    from evaluation.tuning_data import read_tuning_data

    if out.exists():
        raise ArtifactError(f"{out} exists already; model folders are immutable, choose a new name")
    folder = open_model_folder(model)
    found = _spread(_pairs(pairs, gallery), limit)
    source = str(pairs if gallery is None else gallery)
    data = read_tuning_data(
        found, folder.spec.preprocessing, source=source, progress=terminal_progress
    )
    for name, reason in list(data.skipped.items())[:_MOST_SHOWN]:
        note(f"skipped {name}: {reason}")
    names = cast("list[Precision]", [name.strip() for name in precisions.split(",")])
    with tempfile.TemporaryDirectory() as scratch:
        tuned = tune(
            folder,
            data,
            Path(scratch),
            precisions=names,
            options=TuningOptions(rounds=rounds),
            progress=terminal_progress,
        )
        written = write_tuned(folder, out, tuned.table, int8=tuned.int8)
    if as_json:
        print_json({"path": str(out), **table_json(tuned.table)})
        return
    print_tuned(written, tuned.table)


def print_tuned(folder: ModelFolder, table: RuntimeTable) -> None:
    """Print what was measured and chosen."""
    print_lines([f"{table.machine}, {table.made_at}, with {table.source}", ""])
    print_table(
        ("precision", "1 image", "images/s", "1 text", "texts/s", "gate"),
        [_speed_row(row) for row in table.variants],
    )
    print_lines([""])
    print_table(
        ("precision", "image cosine", "text cosine", "hit@10", "mixed gallery", "float32"),
        [_fidelity_row(row) for row in table.variants if row.fidelity is not None],
    )
    print_lines(["", *(f"{row.precision} {row.reason}" for row in table.variants if row.reason)])
    chosen = table.chosen
    print_lines(
        f"{what}: {_way(plan)}"
        for what, plan in (
            ("one image", chosen.image),
            ("many images", chosen.images),
            ("one text", chosen.text),
            ("many texts", chosen.texts),
        )
    )
    print_lines([f"{folder.path}: encoder id {folder.encoder_id}, tuned"])


def _pairs(pairs: str | None, gallery: Path | None) -> list[Pair]:
    if (pairs is None) == (gallery is None):
        raise UsageError(
            "give --pairs SOURCE or --gallery FOLDER: what a precision loses is measured on your "
            "own pictures with their captions"
        )
    if gallery is not None:
        from cli.gallery_pairs import gallery_pairs

        return gallery_pairs(gallery)
    from cli.evaluation_data import open_pairs

    assert pairs is not None
    return open_pairs(Path(pairs), Reading(None, None, None, None, None, None))


def _spread(pairs: Sequence[Pair], limit: int) -> list[Pair]:
    """Return at most so many pairs with captions, at even distances."""
    captioned = [pair for pair in pairs if pair.captions]
    if len(captioned) <= limit:
        return captioned
    return [captioned[number * len(captioned) // limit] for number in range(limit)]


def _speed_row(row: Variant) -> list[str]:
    gate = "reference" if row.precision == "float32" else "passed" if row.passed else "failed"
    if row.plan is None:
        return [row.precision, "-", "-", "-", "-", gate]
    return [
        row.precision,
        f"{row.plan.image.run_ms:.1f} ms",
        f"{row.plan.images.per_second:.0f}",
        f"{row.plan.text.run_ms:.1f} ms",
        f"{row.plan.texts.per_second:.0f}",
        gate,
    ]


def _fidelity_row(row: Variant) -> list[str]:
    found = row.fidelity
    assert found is not None
    return [
        row.precision,
        f"{found.image_cosine_mean:.5f} (least {found.image_cosine_min:.4f})",
        f"{found.text_cosine_mean:.5f} (least {found.text_cosine_min:.4f})",
        *(
            f"{100 * rate:.2f} %"
            for rate in (found.hit_at_10, found.hit_at_10_mixed, found.hit_at_10_float32)
        ),
    ]


def _way(plan: TowerPlan) -> str:
    streams = "1 stream" if plan.streams == 1 else f"{plan.streams} streams"
    size = "exactly" if plan.fixed else "up to"
    pinned = "" if plan.pinned else ", not pinned to cores"
    return f"{plan.precision}, {streams}, {plan.threads} threads{pinned}, {size} {plan.chunk} a run"
