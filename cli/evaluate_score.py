"""``sightline evaluate score``: a run of any system against judgements, both in TREC's form."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.evaluation_options import Output, cut_offs, output_options, statistics_options

if TYPE_CHECKING:
    from evaluation.estimates import Statistics

_file = click.Path(path_type=Path, dir_okay=False)


@click.command(name="score")
@click.option("--qrels", required=True, type=_file, help="Judgements: query 0 document grade.")
@click.option("--run", required=True, type=_file, help="Results: query Q0 document rank score tag.")
@click.option("--k", "ks", default="1,5,10", show_default=True, help="Cut-offs, with commas.")
@statistics_options
@output_options
def command(*, qrels: Path, run: Path, ks: str, statistics: Statistics, output: Output) -> None:
    """Score a run file against judgements; no model and no images are needed.

    Ties go by the document id, ascending. A judged query that the run lacks counts 0.

    \b
    Examples:
      sightline evaluate score --qrels qrels.trec --run run.trec
      sightline evaluate score --qrels qrels.trec --run run.trec --k 10,100 --out reports/theirs
    """
    from cli.evaluation_tables import finish
    from core.measures.trec import read_qrels, read_run
    from evaluation.score import evaluate_run

    report = evaluate_run(read_qrels(qrels), read_run(run), ks=cut_offs(ks), statistics=statistics)
    finish(report, output)
