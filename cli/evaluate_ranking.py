"""``sightline evaluate ranking``: one ranked list, as a person types it."""

from __future__ import annotations

from collections.abc import Sequence

import click

from cli.evaluation_options import json_option
from cli.output import print_json, print_lines
from cli.ranked_list import read_ranked_list


@click.command(name="ranking")
@click.argument("ranked")
@click.option("--relevant", type=int, help="Relevant items in all.  [default: those in the list]")
@json_option
def command(*, ranked: str, relevant: int | None, as_json: bool) -> None:
    """Score one ranked list: T for relevant, F for not, best place first; or a JSON file.

    The file holds {"ranked": [true, false, ...], "relevant": 4}.

    \b
    Examples:
      sightline evaluate ranking TTFFFTFT --relevant 4
      sightline evaluate ranking list.json --json
    """
    from core.measures import metrics

    hits, in_all = read_ranked_list(ranked, relevant=relevant)
    ranks_R = metrics.ranks_of(hits)
    curve = metrics.rank_curve(ranks_R, len(hits), relevant=in_all)
    average = metrics.average_precision(ranks_R, relevant=in_all)
    reciprocal = metrics.reciprocal_rank(ranks_R)
    precisions: list[float] = curve.precision_K.tolist()
    recalls: list[float] = curve.recall_K.tolist()
    if as_json:
        print_json(
            {
                "precision": list(precisions),
                "recall": list(recalls),
                "average_precision": average,
                "reciprocal_rank": reciprocal,
                "relevant": in_all,
            }
        )
        return
    print_lines(
        [
            f"precision {_two_decimals(precisions)}",
            f"recall {_two_decimals(recalls)}",
            f"average precision {average:.2f}",
            f"reciprocal rank {reciprocal:.2f}",
        ]
    )


def _two_decimals(values: Sequence[float]) -> str:
    return " ".join(f"{value:.2f}" for value in values)
