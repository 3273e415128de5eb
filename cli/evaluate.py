"""``sightline evaluate``: score models, indexes and running servers offline, on your own pairs."""

from __future__ import annotations

import importlib

import click

from cli.url_refusal import refuse_url

_COMMANDS = {
    "retrieval": "search by captions and images, and score the ranking",
    "classify": "label images, and compare with their classes",
    "embed": "write the vectors of pairs into one file, for the other commands",
    "probe": "train a linear classifier on image vectors, and score it",
    "ann": "measure an index against exact search: recall and latency",
    "score": "score a TREC run against judgements",
    "ranking": "score one ranked list",
    "compare": "compare two reports, query by query",
    "gate": "pass or fail a report by rules, for CI",
    "report": "render a report again from its files",
}


class _Commands(click.Group):
    """Sub-commands that are imported when they are run, so that ``--help`` is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the table."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import ``cli.evaluate_<name>`` and return its ``command``."""
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"cli.evaluate_{cmd_name}")
        found: click.Command = module.command
        return refuse_url(found, f"evaluate {cmd_name}")

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands from the table, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(name="evaluate", cls=_Commands)
def command() -> None:
    """Score a model, an index or a running server on your own pairs.

    Pairs are a folder of pictures, a .csv, .tsv, .jsonl, .json or .parquet file, webdataset tars,
    or a saved Hugging Face data set; a pattern in quotes is one source, #NAME behind it one split.

    \b
    Examples:
      sightline evaluate retrieval pairs.jsonl
      sightline evaluate retrieval 'dataset_coco.json#test' --captions-per-image 5
      sightline evaluate classify photos-by-class --templates imagenet7
      sightline evaluate ranking TTFFFTFT --relevant 4
    """
