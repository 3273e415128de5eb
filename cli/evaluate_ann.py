"""``sightline evaluate ann``: an index against exact search."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from cli.evaluation_options import (
    Output,
    Reading,
    data_argument,
    output_options,
    reading_options,
    statistics_options,
)
from cli.output import note, print_lines, print_table
from core.errors import UsageError

if TYPE_CHECKING:
    from core.types import FloatArray
    from evaluation.ann import AnnCandidate, AnnQueries, ScoresOf
    from evaluation.embeddings import Embeddings
    from evaluation.estimates import Statistics
    from evaluation.report import Report
    from index.collection import Collection
    from index.index_plan import Kind
    from index.tuning import Efforts

_KINDS = (
    *("flat", "flat-int8", "flat-fp16"),
    *("ivf-sq8", "ivf-pq", "ivf-rabitq", "pq", "rabitq", "hnsw"),
)
_TAKEN_BY: Mapping[str, Callable[[str], bool]] = {
    "nprobe": lambda kind: kind.startswith("ivf-"),
    "efSearch": lambda kind: kind == "hnsw",
    "depth": lambda kind: kind != "hnsw" and not kind.startswith("flat"),
}
"""Which kinds an effort of ``--sweep`` is for."""


@click.command(name="ann")
@data_argument
@click.option(
    "--index",
    "gallery",
    required=True,
    type=click.Path(path_type=Path),
    help="Gallery whose index is measured.",
)
@click.option("--k", type=click.IntRange(1, 1000), default=10, show_default=True, help="Hits.")
@click.option(
    "--kinds",
    default="",
    help="Kinds of index to build and sweep too, with commas: " + ", ".join(_KINDS) + ".",
)
@click.option(
    "--sweep",
    "sweeps",
    multiple=True,
    metavar="NAME=N,N,...",
    help="Efforts to measure: nprobe (ivf- kinds), efSearch (hnsw), depth (all others).",
)
@click.option(
    "--queries",
    type=click.IntRange(min=1),
    default=500,
    show_default=True,
    help="Most queries of each kind, spread evenly over DATA.",
)
@reading_options
@statistics_options
@output_options
def command(
    *,
    data: Path,
    gallery: Path,
    k: int,
    kinds: str,
    sweeps: tuple[str, ...],
    queries: int,
    reading: Reading,
    statistics: Statistics,
    output: Output,
) -> None:
    """Measure the index of a gallery against exact search, with the captions and images of DATA.

    ann_recall@k is the share of the exact k nearest that the index finds; text and image queries
    are apart. --kinds builds other indexes in a temporary folder and measures each with ever more
    effort, or with that of --sweep; the gallery stays as it is.

    \b
    Examples:
      sightline evaluate ann pairs.npz --index pets
      sightline evaluate ann pairs.npz --index pets --kinds flat,ivf-sq8,hnsw --out reports/index
      sightline evaluate ann pairs.npz --index pets --kinds ivf-sq8 --sweep nprobe=1,2,4,8,16
    """
    from cli.evaluation_data import open_data
    from cli.evaluation_search import open_collection, refuse_other_encoder
    from cli.evaluation_tables import finish
    from evaluation.ann import measure
    from evaluation.ann_report import ann_report

    wanted = _kinds(kinds)
    efforts = _efforts(sweeps, wanted)
    embeddings = open_data(data, reading)
    with open_collection(gallery) as collection:
        refuse_other_encoder(collection, gallery, embeddings.provenance.encoder_id)
        ids, vectors_MD = _gallery(collection)
        asked = _queries(embeddings, ids, vectors_MD, k=k, most=queries)
        own = [measure(_search(collection), one) for one in asked]
        swept = _swept(collection, asked, wanted, efforts)
        report = ann_report(
            own,
            asked,
            swept,
            name=f"{gallery.name}: {collection.index.plan.describe()}",
            rows=len(ids),
            provenance=embeddings.provenance,
            statistics=statistics,
        )
    if not output.as_json:
        _show(report)
    finish(report, output)


def _search(collection: Collection) -> ScoresOf:
    def search(query_D: FloatArray, k: int) -> FloatArray:
        found = collection.search(query_D, k=k)
        return np.array([hit.score for hit in found.hits], np.float32)

    return search


def _gallery(collection: Collection) -> tuple[tuple[str, ...], FloatArray]:
    store = collection.store
    with store.frozen():
        ids = tuple(sorted(store.ids_of_rows(store.row_ids()).values()))
    if not ids:
        raise UsageError(f"{collection.folder} is empty; add images first: sightline add")
    return ids, collection.vectors(ids)


def _queries(
    embeddings: Embeddings,
    ids: tuple[str, ...],
    vectors_MD: FloatArray,
    *,
    k: int,
    most: int,
) -> list[AnnQueries]:
    from evaluation.ann import with_exact

    sides = (
        ("text", embeddings.caption_ids, embeddings.captions_CD),
        ("image", embeddings.image_ids, embeddings.images.embeddings_GD),
    )
    asked = []
    for modality, names, vectors_ND in sides:
        if not names:
            continue
        chosen = np.unique(np.linspace(0, len(names) - 1, min(most, len(names))).astype(int))
        asked.append(
            with_exact(
                modality,
                [names[place] for place in chosen.tolist()],
                vectors_ND[chosen],
                ids,
                vectors_MD,
                k=k,
            )
        )
    if not asked:
        raise UsageError("DATA holds neither captions nor images that could be embedded")
    return asked


def _swept(
    collection: Collection, asked: list[AnnQueries], kinds: list[Kind], efforts: Efforts
) -> list[AnnCandidate]:
    from cli.progress import terminal_progress
    from evaluation.ann import sweep
    from index.index_plan import IndexPlan
    from index.segment_file import open_segment

    if not kinds:
        return []
    with tempfile.TemporaryDirectory(prefix="sightline-ann-") as temporary:
        path = Path(temporary) / "rows.segment"
        collection.index.snapshot(path, plan=IndexPlan())
        rows = open_segment(path, dim=collection.binding.dim)
        swept = list(sweep(rows, asked, kinds=kinds, efforts=efforts, progress=terminal_progress))
    missing = [kind for kind in kinds if all(one.plan.kind != kind for one in swept)]
    if missing:
        note(f"{', '.join(missing)}: not measured, the gallery has too few images to train them")
    return swept


def _kinds(text: str) -> list[Kind]:
    from index.index_plan import KINDS

    names = [part.strip() for part in text.split(",") if part.strip()]
    unknown = [name for name in names if name not in KINDS]
    if unknown:
        raise UsageError(f"--kinds: unknown {', '.join(unknown)}; known are {', '.join(KINDS)}")
    return [kind for name in names for kind in KINDS if kind == name]


def _efforts(sweeps: tuple[str, ...], kinds: list[Kind]) -> Efforts:
    """Return what ``--sweep`` asks for.

    Raises:
        UsageError: no such list of numbers, or none of the kinds takes it.
    """
    from index.tuning import Efforts

    found: dict[str, tuple[int, ...]] = {}
    for text in sweeps:
        name, _, numbers = text.partition("=")
        parts = [part.strip() for part in numbers.split(",")]
        if name not in _TAKEN_BY or not all(part.isdecimal() and int(part) for part in parts):
            raise UsageError(
                f"--sweep {text!r}: expected nprobe, efSearch or depth with numbers from 1, for "
                "example nprobe=1,2,4,8"
            )
        if not any(_TAKEN_BY[name](kind) for kind in kinds):
            raise UsageError(f"--sweep {text!r}: none of --kinds takes {name}; name one that does")
        found[name] = tuple(dict.fromkeys(int(part) for part in parts))
    return Efforts(found.get("nprobe", ()), found.get("depth", ()), found.get("efSearch", ()))


def _show(report: Report) -> None:
    metrics = report.metrics
    rows = [
        [
            kind,
            *(
                f"{metrics[f'{prefix}{name}'].value:.{digits}f}"
                for name, digits in (
                    (f"ann_recall@{report.settings['k']}", 4),
                    ("latency_p50_ms", 2),
                    ("latency_p95_ms", 2),
                    ("latency_p99_ms", 2),
                )
            ),
        ]
        for kind, prefix in (("text", ""), ("image", "image_"))
        if f"{prefix}latency_p50_ms" in metrics
    ]
    print_lines([str(report.settings["index"])])
    print_table(["queries", "ann_recall", "p50 ms", "p95 ms", "p99 ms"], rows)
    print_lines([""])
    sweep: Any = report.details["sweep"]
    names = [name for name in sweep[0] if "p95" not in name] if sweep else []
    if sweep:
        print_table(names, [[_cell(row[name]) for name in names] for row in sweep])
        print_lines([""])


def _cell(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)
