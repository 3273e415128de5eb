"""``sightline embed``: pairs into a folder of embeddings in clip-retrieval's format."""

from __future__ import annotations

import dataclasses
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from cli.output import note, print_json, print_lines
from cli.progress import terminal_progress
from core.errors import PairsError, UsageError

if TYPE_CHECKING:
    from core.pairs.pair import PairList
    from index.bulk_embedding import EmbedOptions, EmbedSummary
    from index.embedding_folder import Skipped


@click.command(name="embed")
@click.argument("source", type=click.Path(path_type=Path))
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder to write; one that an earlier run of this command left is gone on with.",
)
@click.option("--model", help="Model folder or open_clip source.  [default: the starter]")
@click.option("--image-column", help="Column of a table with the image paths.")
@click.option("--caption-column", help="Column of a table with the captions.")
@click.option(
    "--image-root", type=click.Path(path_type=Path), help="Folder that image paths start from."
)
@click.option("--no-images", is_flag=True, help="Embed the captions only.")
@click.option("--no-captions", is_flag=True, help="Embed the images only.")
@click.option(
    "--part-items",
    type=click.IntRange(1, 1_000_000),
    default=10_000,
    show_default=True,
    help="Pairs of a part: a file each of images, captions and metadata.",
)
@click.option(
    "--precision",
    type=click.Choice(["float16", "float32"]),
    default="float16",
    show_default=True,
    help="Of the embeddings; clip-retrieval writes float16.",
)
@click.option(
    "--threads",
    type=click.IntRange(1, 64),
    default=2,
    show_default=True,
    help="For reading and decoding.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    *,
    source: Path,
    out: Path,
    model: str | None,
    image_column: str | None,
    caption_column: str | None,
    image_root: Path | None,
    no_images: bool,
    no_captions: bool,
    part_items: int,
    precision: Literal["float16", "float32"],
    threads: int,
    as_json: bool,
) -> int:
    """Embed the images and captions of SOURCE into a folder that clip-retrieval and autofaiss read.

    SOURCE is whatever `sightline add` takes: a folder, a table, webdataset tars, Parquet. The
    folder gets img_emb/, text_emb/ and metadata/, in parts; after Ctrl-C or a crash the same
    command goes on behind the last finished part. Bad images are left out, named, and listed in
    skipped/. `sightline import` makes a gallery of the folder.

    \b
    Examples:
      sightline embed ~/Pictures --out embeddings
      sightline embed 'shards/part-{000..011}.tar' --out embeddings --model ./my-model
      sightline embed pairs.csv --out captions --no-images --precision float32
    """
    from core.pairs.reading import read_pairs
    from index.bulk_embedding import EmbedOptions

    if no_images and no_captions:
        raise UsageError("--no-images and --no-captions leave nothing to embed; drop one of them")
    pairs = read_pairs(
        source,
        image_column=image_column,
        caption_column=caption_column,
        image_root=image_root,
        skip_bad_rows=True,
    )
    if no_images and not any(pair.captions for pair in pairs):
        raise PairsError(f"{source} has no captions; embed its images: leave --no-images out")
    options = EmbedOptions(
        images=not no_images,
        captions=not no_captions,
        part_items=part_items,
        precision=precision,
        threads=threads,
    )
    for place, reason in pairs.skipped.items():
        note(f"{place}: {reason}")
    summary = _embed(pairs, out, options, model)
    _print(summary, out, as_json=as_json)
    if not summary.rows:
        note("nothing was embedded")
    return 0 if summary.rows else 1


def _embed(pairs: PairList, out: Path, options: EmbedOptions, model: str | None) -> EmbedSummary:
    from cli.opening import open_encoder
    from index.bulk_embedding import embed_into_folder

    with closing(open_encoder(model, None)) as encoder:
        try:
            return embed_into_folder(
                encoder, pairs, out, options, progress=terminal_progress, on_skipped=_name
            )
        except KeyboardInterrupt:
            note("stopped; finished parts are kept. The same command goes on from there.")
            raise


def _name(skipped: Skipped) -> None:
    note(f"{skipped.path or skipped.place}: {skipped.message}")


def _print(summary: EmbedSummary, out: Path, *, as_json: bool) -> None:
    if as_json:
        print_json({"out": str(out), **dataclasses.asdict(summary)})
        return
    plan = summary.plan
    kinds = [name for name in ("images", "captions") if getattr(plan, name)]
    written = f"{summary.rows} pairs ({' and '.join(kinds)}) in {plan.parts} parts"
    print_lines([f"{written}, {summary.skipped} skipped; {out}"])
