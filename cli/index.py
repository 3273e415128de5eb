"""``sightline index``: measure, choose, build and show the index of a gallery."""

from __future__ import annotations

import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.index_tables import show_index, show_measured, show_tuning
from cli.output import note, print_json
from cli.settings import default_gallery
from core.errors import ConflictError, UsageError

if TYPE_CHECKING:
    from core.types import FloatArray
    from encoders.encoder import Encoder
    from index.collection import Collection
    from index.gallery import Gallery
    from index.index_plan import IndexPlan, Kind
    from index.tuning import Queries, Tuning

_MOST_QUERIES = 500
_KINDS = (
    *("auto", "flat", "flat-int8", "flat-fp16"),
    *("ivf-sq8", "ivf-pq", "ivf-rabitq", "pq", "rabitq", "hnsw"),
)
_gallery = click.argument("gallery", required=False, type=click.Path(path_type=Path))
_model = click.option("--model", help="Model folder or open_clip source.  [default: the gallery's]")
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group(name="index")
def command() -> None:
    """Measure, choose, build and show the index of a gallery.

    \b
    Examples:
      sightline index show pets
      sightline index tune pets --target 0.95
      sightline index build pets
    """


@command.command(name="tune")
@_gallery
@click.option("--queries", type=click.Path(path_type=Path), help="Text file, one query a line.")
@click.option("--pairs", type=click.Path(path_type=Path), help="Held-out pairs: their captions.")
@click.option(
    "--target",
    type=click.FloatRange(0.5, 0.999),
    default=0.95,
    show_default=True,
    help="Wanted ann_recall@k of text queries.",
)
@click.option("--k", type=click.IntRange(1, 100), default=10, show_default=True, help="Hits.")
@click.option("--memory", "memory_mb", type=click.IntRange(min=1), help="MB that it may hold.")
@click.option("--hnsw", is_flag=True, help="Measure HNSW as well: slow to build, weak for texts.")
@_model
@_json
def tune(
    *,
    gallery: Path | None,
    queries: Path | None,
    pairs: Path | None,
    target: float,
    k: int,
    memory_mb: int | None,
    hnsw: bool,
    model: str | None,
    as_json: bool,
) -> None:
    """Measure kinds of index on this machine with text queries, and record the cheapest good one.

    Text queries are the captions of the gallery, a file of queries or the captions of held-out
    pairs; image queries are stored vectors. Exact search is the reference. What is recorded is
    used by the next merge; `sightline index build` merges now. Refused while a server writes.

    \b
    Examples:
      sightline index tune pets
      sightline index tune pets --queries searches.txt --target 0.98 --memory 500
      sightline index tune pets --pairs heldout.jsonl
    """
    from cli.opening import open_encoder, open_gallery
    from index.stored_plan import StorePlan

    if queries is not None and pairs is not None:
        raise UsageError("give --queries or --pairs, not both")
    folder = _existing(gallery)
    with (
        closing(open_encoder(model, folder)) as encoder,
        open_gallery(folder, encoder) as opened,
    ):
        asked = _queries(opened, encoder, _texts(opened.collection, queries, pairs))
        tuning = _tuned(opened.collection, asked, k, target, memory_mb, with_hnsw=hnsw)
        plan = None if tuning.chosen is None else tuning.chosen.plan
        if plan is not None:
            opened.collection.write(StorePlan(plan, tuning.as_json(), rows=tuning.rows))
    if as_json:
        print_json(tuning.as_json())
    else:
        show_tuning(tuning)
    if plan is None:
        raise ConflictError(_refusal(len(asked.text_QD), target))


@command.command(name="build")
@_gallery
@click.option("--kind", type=click.Choice(_KINDS), help="Kind of index; auto: by the size.")
@click.option("--probes", type=click.IntRange(min=1), help="Lists that a search visits (ivf-).")
@click.option("--depth", type=click.IntRange(min=16), help="Candidates that are scored exactly.")
@_json
def build(
    *,
    gallery: Path | None,
    kind: str | None,
    probes: int | None,
    depth: int | None,
    as_json: bool,
) -> None:
    """Merge everything into a new base now, by the recorded plan or a given one.

    \b
    Examples:
      sightline index build pets
      sightline index build pets --kind ivf-sq8 --probes 32
      sightline index build pets --kind auto
    """
    from index.stored_plan import StorePlan

    if kind in {None, "auto"} and (probes or depth):
        raise UsageError("--probes and --depth belong to a kind; name it with --kind")
    folder = _existing(gallery)
    with _open_collection(folder, read_only=False) as collection:
        if kind is not None:
            collection.write(StorePlan(_given(kind, collection.count(), probes, depth)))
        collection.snapshot()
        show_index(folder, collection, as_json=as_json)


@command.command(name="show")
@_gallery
@_json
def show(*, gallery: Path | None, as_json: bool) -> None:
    """Print plan, measurements, generation, delta, tombstones and drift of a gallery's index.

    \b
    Examples:
      sightline index show
      sightline index show pets --json
    """
    folder = _existing(gallery)
    with _open_collection(folder, read_only=True) as collection:
        show_index(folder, collection, as_json=as_json)


def _tuned(
    collection: Collection,
    asked: Queries,
    k: int,
    target: float,
    memory_mb: int | None,
    *,
    with_hnsw: bool,
) -> Tuning:
    from index.index_plan import IndexPlan
    from index.segment_file import open_segment
    from index.tuning import DEFAULT_KINDS
    from index.tuning import tune as measure

    kinds: tuple[Kind, ...] = (*DEFAULT_KINDS, "hnsw") if with_hnsw else DEFAULT_KINDS
    with tempfile.TemporaryDirectory(dir=collection.folder, prefix=".tuning.") as temporary:
        path = Path(temporary) / "rows.segment"
        collection.index.snapshot(path, plan=IndexPlan())
        return measure(
            open_segment(path, dim=collection.binding.dim),
            asked,
            k=k,
            target=target,
            memory_mb=memory_mb,
            kinds=kinds,
            done=show_measured,
        )


def _texts(collection: Collection, queries: Path | None, pairs: Path | None) -> list[str]:
    """Return up to 500 texts, spread evenly over all that there are."""
    if queries is not None:
        if not queries.is_file():
            raise UsageError(f"{queries} does not exist; give a text file with one query a line")
        found = queries.read_text(encoding="utf-8").splitlines()
    elif pairs is not None:
        from core.pairs.reading import read_pairs

        found = [caption for pair in read_pairs(pairs) for caption in pair.captions]
    else:
        found = collection.store.captions()
    texts = list(dict.fromkeys(text.strip() for text in found if text.strip()))
    if not texts:
        raise UsageError(
            "there are no text queries to tune with: the gallery has no captions; give a file of "
            "queries (--queries searches.txt) or pairs with captions (--pairs heldout.jsonl)"
        )
    step = max(1, len(texts) / _MOST_QUERIES)
    return [texts[int(place * step)] for place in range(min(len(texts), _MOST_QUERIES))]


def _queries(gallery: Gallery, encoder: Encoder, texts: list[str]) -> Queries:
    """Return the embeddings of texts, and stored vectors as image queries."""
    import numpy as np

    from index.tuning import Queries

    embedded = [
        encoder.encode_texts(texts[start : start + 64]) for start in range(0, len(texts), 64)
    ]
    text_QD: FloatArray = np.concatenate(embedded)
    row_ids_N = np.sort(gallery.collection.index.row_ids())
    if not len(row_ids_N):
        raise UsageError(f"{gallery.folder} is empty; add images first: sightline add")
    chosen = np.linspace(0, len(row_ids_N) - 1, min(len(row_ids_N), _MOST_QUERIES)).astype(int)
    return Queries(text_QD, gallery.collection.index.vectors(row_ids_N[chosen]))


def _given(kind: str, count: int, probes: int | None, depth: int | None) -> IndexPlan | None:
    from index.index_plan import KINDS, make_plan

    if kind == "auto":
        return None
    known = next(name for name in KINDS if name == kind)
    return make_plan(known, count, probes=probes or 0, depth=depth or 0)


def _existing(gallery: Path | None) -> Path:
    """Refuse a missing gallery before a model is loaded for it."""
    from index.schema import connect_reader

    folder = gallery or default_gallery()
    connect_reader(folder).close()
    return folder


def _open_collection(folder: Path, *, read_only: bool) -> Collection:
    """Open a gallery's collection as it is bound, without its model."""
    from index.binding import read_binding
    from index.collection import Collection
    from index.store import StoreReader

    with closing(StoreReader(folder)) as store:
        binding = read_binding(store)
    return Collection.open(
        folder, encoder_id=binding.encoder_id, dim=binding.dim, read_only=read_only
    )


def _refusal(queries: int, target: float) -> str:
    from index.ann_recall import queries_needed

    needed = queries_needed(target)
    note("nothing was recorded: the index stays as it is")
    if queries < needed:
        return (
            f"{queries} text queries cannot prove an ann_recall of {target}; {needed} or more can: "
            "give a longer --queries file or a lower --target"
        )
    return f"nothing within --memory finds {target} of the neighbours of text queries"
