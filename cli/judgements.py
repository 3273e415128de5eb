"""``sightline judgements``: hits that were marked right or wrong, and what they are good for."""

from __future__ import annotations

import dataclasses
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.any_gallery import url_option
from cli.any_judgements import AnyJudgements, any_judgements
from cli.evaluation_options import Output, cut_offs, output_options, statistics_options
from cli.output import note, print_json, print_lines, print_table
from core.errors import UsageError

if TYPE_CHECKING:
    from evaluation.estimates import Statistics
    from evaluation.report import Report
    from sightline.judgement_calls import ExportFormat

_gallery = click.option(
    "--gallery", type=click.Path(path_type=Path), help="Folder of the gallery.  [default: gallery]"
)
_model = click.option("--model", help="Model folder or open_clip source.  [default: the gallery's]")
_file = click.Path(path_type=Path, dir_okay=False)
_NOTHING = "nothing is judged yet: search on the page with Judge switched on, or import marks"


@click.group(name="judgements")
def command() -> None:
    """List, export, import and score judged queries: hits that were marked right or wrong.

    They are marked on the page of `sightline serve` and are part of the gallery. While a server
    runs on it, write through the server: --url.

    \b
    Examples:
      sightline judgements list
      sightline judgements export qrels --out qrels.trec
      sightline judgements export pairs --out judged.tar
      sightline judgements import marks.jsonl
      sightline judgements score --out reports/judged
    """


@command.command(name="list")
@_gallery
@url_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_judged(*, gallery: Path | None, url: str | None, as_json: bool) -> None:
    """List the judged queries with their marks, the newest first.

    \b
    Examples:
      sightline judgements list
      sightline judgements list --url http://photos.example:8000 --json
    """
    found = any_judgements(gallery=gallery, url=url).list()
    if as_json:
        print_json({"queries": [dataclasses.asdict(one) for one in found]})
        return
    if not found:
        note(_NOTHING)
        return
    rows = [
        [one.id, str(one.right), str(one.wrong), str(one.gone), one.mode, one.query]
        for one in found
    ]
    print_table(["id", "right", "wrong", "gone", "mode", "query"], rows)


@command.command(name="export")
@click.argument("format", type=click.Choice(["qrels", "queries", "run", "jsonl", "pairs"]))
@click.option("--out", type=_file, help="File to write.  [default: stdout]")
@_gallery
@_model
@url_option
def export(
    *,
    format: ExportFormat,
    out: Path | None,
    gallery: Path | None,
    model: str | None,
    url: str | None,
) -> None:
    """Write the marks as a file.

    qrels: TREC judgements. queries: id, tab, text. run: what search finds for them now, in TREC's
    form. jsonl: every mark with everything. pairs: a tar of training pairs, right hits with the
    text of their query.

    \b
    Examples:
      sightline judgements export qrels --out qrels.trec
      sightline judgements export run --url http://photos.example:8000 --out run.trec
      sightline judgements export pairs --out judged.tar
    """
    if out is None and format == "pairs":
        raise UsageError("pairs are a tar; say where to write it: --out judged.tar")
    data = any_judgements(gallery=gallery, url=url, model=model).export(format)
    if not data.strip(b"\0"):
        note(_NOTHING)
    if out is None:
        sys.stdout.write(data.decode())
        return
    out.write_bytes(data)
    print_lines([f"{out}: {len(data)} bytes"])


@command.command(name="import")
@click.argument("files", nargs=-1, type=_file)
@click.option("--qrels", type=_file, help="TREC judgements instead, with --queries.")
@click.option("--queries", type=_file, help="Their queries: id, tab, text.")
@_gallery
@url_option
def import_marks(
    *,
    files: tuple[Path, ...],
    qrels: Path | None,
    queries: Path | None,
    gallery: Path | None,
    url: str | None,
) -> int:
    """Take over marks: lines of JSON as export writes them, or qrels with their queries.

    Marks of items that the gallery does not have are left out and counted. In qrels any grade
    above 0 is right.

    \b
    Examples:
      sightline judgements import marks.jsonl
      sightline judgements import --qrels qrels.trec --queries queries.tsv
    """
    from cli.judgement_imports import marks_of_lines, marks_of_qrels

    if (qrels is None) != (queries is None) or (not files and qrels is None):
        raise UsageError("give files of marks, or --qrels together with --queries")
    parts = [part for path in files for part in marks_of_lines(path)]
    if qrels is not None and queries is not None:
        parts += marks_of_qrels(qrels, queries)
    target = any_judgements(gallery=gallery, url=url)
    taken, unknown = 0, 0
    for part in parts:
        lacking = target.judge(part.query, part.grades, mode=part.mode, filter=part.filter)
        unknown += len(lacking)
        taken += len(part.grades) - len(lacking)
    print_lines([f"{taken} marks taken over"])
    if unknown:
        note(f"{unknown} left out: {target.where} does not have their items")
    return 1 if unknown and not taken else 0


@command.command(name="score")
@click.option("--k", "ks", default="1,5,10", show_default=True, help="Cut-offs, with commas.")
@_gallery
@_model
@url_option
@statistics_options
@output_options
def score(
    *,
    ks: str,
    gallery: Path | None,
    model: str | None,
    url: str | None,
    statistics: Statistics,
    output: Output,
) -> None:
    """Ask the judged queries again and score what is found, as a report of `evaluate`.

    A hit that nobody judged counts as wrong. The report can be compared and gated: see
    `sightline evaluate compare` and `gate`.

    \b
    Examples:
      sightline judgements score
      sightline judgements score --url http://photos.example:8000 --out reports/judged
    """
    from cli.evaluation_tables import finish

    judged = any_judgements(gallery=gallery, url=url, model=model)
    qrels = judged.export("qrels")
    if not qrels:
        raise UsageError(_NOTHING)
    finish(_report(judged, qrels, ks=ks, statistics=statistics), output)


def _report(judged: AnyJudgements, qrels: bytes, *, ks: str, statistics: Statistics) -> Report:
    """Score the run against the marks, both read as `evaluate score` reads them."""
    from core.measures.trec import read_qrels, read_run
    from evaluation.score import evaluate_run

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "qrels.trec").write_bytes(qrels)
        (folder / "run.trec").write_bytes(judged.export("run"))
        report = evaluate_run(
            read_qrels(folder / "qrels.trec"),
            read_run(folder / "run.trec"),
            ks=cut_offs(ks),
            statistics=statistics,
        )
    model = judged.model()
    return dataclasses.replace(
        report,
        settings={**report.settings, "gallery": judged.where},
        provenance=dataclasses.replace(
            report.provenance, encoder_id=model.encoder_id, model=model.name
        ),
    )
