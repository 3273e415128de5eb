"""``sightline evaluate retrieval``: search by captions and images, and score what is found."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.evaluation_options import (
    Output,
    Reading,
    cut_offs,
    data_argument,
    group_option,
    output_options,
    reading_options,
    statistics_options,
)
from core.errors import UsageError
from core.types import JSONObject

if TYPE_CHECKING:
    from evaluation.estimates import Statistics
    from evaluation.report import Report
    from evaluation.retrieval_options import RetrievalOptions
    from evaluation.retrieval_task import Direction, Judgements, Relevance

_DIRECTIONS = ("text_to_image", "image_to_text", "image_to_image", "text_to_text")


@click.command(name="retrieval")
@data_argument
@reading_options
@click.option("--k", "ks", default="1,5,10", show_default=True, help="Cut-offs, with commas.")
@click.option(
    "--direction",
    type=click.Choice(_DIRECTIONS),
    default="text_to_image",
    show_default=True,
    help="What asks for what.",
)
@click.option(
    "--relevance",
    help="pair: what belongs together; label: what has the same label; or a TREC qrels file."
    "  [default: pair, for image_to_image label]",
)
@click.option(
    "--exclude-self/--keep-self",
    default=None,
    help="Drop the query itself from its gallery.  [default: within one modality]",
)
@click.option(
    "--index",
    default="exact",
    show_default=True,
    metavar="exact|GALLERY",
    help="Score the index of a gallery beside exact search of it.",
)
@click.option("--url", help="Score a running server instead, with its model, index and latency.")
@click.option("--filter", "filter_text", help="JSON filter of the searches.")
@click.option("--depth", type=click.IntRange(1, 1000), help="Places of each list in run.trec.")
@click.option("--train", type=click.Path(path_type=Path), help="Training pairs: count shared ones.")
@group_option
@statistics_options
@output_options
def command(
    *,
    data: Path,
    reading: Reading,
    ks: str,
    direction: Direction,
    relevance: str | None,
    exclude_self: bool | None,
    index: str,
    url: str | None,
    filter_text: str | None,
    depth: int | None,
    train: Path | None,
    group_by: str | None,
    statistics: Statistics,
    output: Output,
) -> None:
    """Search the images of DATA by its captions, or any other way round, and score the ranking.

    precision@k is r/k, recall@k the fraction of the relevant items found, hit@k what the CLIP
    papers call R@k. Means over queries, with intervals. DATA is a set of pairs, or the .npz of
    `sightline evaluate embed`, which needs no model.

    \b
    Examples:
      sightline evaluate retrieval pairs.jsonl
      sightline evaluate retrieval 'dataset_coco.json#test' --captions-per-image 5
      sightline evaluate retrieval pairs.npz --direction image_to_image --relevance label
      sightline evaluate retrieval pairs.npz --index pets --k 1,10
      sightline evaluate retrieval pairs.jsonl --url http://127.0.0.1:8000
    """
    from cli.evaluation_overlap import count_overlap
    from cli.evaluation_tables import finish
    from cli.search import filter_object
    from evaluation.retrieval_options import RetrievalOptions

    options = RetrievalOptions(
        direction=direction,
        ks=cut_offs(ks),
        relevance=_relevance(relevance, direction),
        exclude_self=exclude_self,
        group_by=group_by,
        depth=depth,
        statistics=statistics,
    )
    if url is not None and index != "exact":
        raise UsageError("--index and --url are both given; score one search at a time")
    chosen = filter_object(filter_text)
    if chosen is not None and url is None and index == "exact":
        raise UsageError("--filter is for searches of --index or --url")
    report = (
        _served(data, reading, url, chosen, options)
        if url is not None
        else _offline(data, reading, index, chosen, options)
    )
    if train is not None:
        report = count_overlap(report, data, train, reading)
    finish(report, output)


def _offline(
    data: Path, reading: Reading, index: str, filter: JSONObject | None, options: RetrievalOptions
) -> Report:
    from cli.evaluation_data import open_data
    from cli.evaluation_search import indexed_gallery
    from cli.progress import terminal_progress
    from evaluation.retrieval import evaluate_retrieval
    from evaluation.slices import check_field

    embeddings = open_data(data, reading)
    check_field(embeddings.pairs, options.group_by)
    if index == "exact":
        return evaluate_retrieval(embeddings, options, progress=terminal_progress)
    if not options.direction.endswith("image"):
        raise UsageError(f"--index: a gallery answers with images, not with {options.direction}")
    encoder_id = embeddings.provenance.encoder_id
    with indexed_gallery(Path(index), encoder_id=encoder_id, filter=filter) as (side, search):
        return evaluate_retrieval(
            embeddings, options, gallery=side, search=search, progress=terminal_progress
        )


def _served(
    data: Path, reading: Reading, url: str, filter: JSONObject | None, options: RetrievalOptions
) -> Report:
    from cli.evaluation_data import is_embeddings, open_pairs
    from cli.evaluation_search import ServedSearch, open_client
    from cli.progress import terminal_progress
    from evaluation.retrieval import evaluate_served
    from evaluation.slices import check_field

    if reading.model is not None:
        raise UsageError("--model and --url are both given; a server searches with its own model")
    if is_embeddings(data):
        raise UsageError(f"{data}: a server embeds by itself; give it the pairs")
    pairs = open_pairs(data, reading)
    check_field(pairs, options.group_by)
    with open_client(url) as client:
        return evaluate_served(
            pairs,
            ServedSearch(client, url, filter=filter),
            options,
            skipped=pairs.skipped,
            encoder_id=client.gallery().encoder_id,
            progress=terminal_progress,
        )


def _relevance(given: str | None, direction: Direction) -> Relevance | Judgements:
    from core.measures.trec import read_qrels

    if given is None:
        return "label" if direction == "image_to_image" else "pair"
    if given == "pair":
        return "pair"
    if given == "label":
        return "label"
    return read_qrels(Path(given))
