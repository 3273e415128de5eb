"""Options that the commands of ``sightline evaluate`` share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import click

from core.errors import UsageError

if TYPE_CHECKING:
    from evaluation.estimates import Statistics

Function: TypeAlias = Callable[..., None]

data_argument = click.argument("data", type=click.Path(path_type=Path))
out_option = click.option(
    "--out", type=click.Path(path_type=Path), help="New folder for the report."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
group_option = click.option(
    "--group-by", metavar="FIELD", help="Metrics for each value of a metadata field, or of label."
)


@dataclass(frozen=True, slots=True)
class Reading:
    """How DATA is read and embedded."""

    model: str | None
    image_column: str | None
    caption_column: str | None
    image_root: Path | None
    captions_per_image: int | None
    limit: int | None
    crops: int | None = None

    def given(self) -> list[str]:
        """Return the options that were given, as they are written."""
        return [
            f"--{name.replace('_', '-')}"
            for name in self.__slots__
            if getattr(self, name) is not None
        ]


@dataclass(frozen=True, slots=True)
class Output:
    """Where the report goes."""

    out: Path | None
    as_json: bool


def reading_options(function: Function) -> Function:
    """Add the options of reading DATA; they arrive as one ``reading``."""

    @click.option("--model", help="Model folder or open_clip source.  [default: the starter]")
    @click.option("--image-column", help="Column of a table with the image paths.")
    @click.option("--caption-column", help="Column of a table with the captions.")
    @click.option(
        "--image-root", type=click.Path(path_type=Path), help="Folder that image paths start from."
    )
    @click.option(
        "--captions-per-image",
        type=click.IntRange(min=1),
        help="Use the first N captions of each image; COCO has up to seven, papers use five.",
    )
    @click.option("--limit", type=click.IntRange(min=1), help="Use the first N pairs only.")
    @click.option(
        "--crops",
        type=click.Choice(["1", "5", "10"]),
        help="Average views of each image: corners and centre, mirrored too for 10.  [default: 1]",
    )
    @wraps(function)
    def command(
        *,
        model: str | None,
        image_column: str | None,
        caption_column: str | None,
        image_root: Path | None,
        captions_per_image: int | None,
        limit: int | None,
        crops: str | None,
        **rest: object,
    ) -> None:
        reading = Reading(
            model,
            image_column,
            caption_column,
            image_root,
            captions_per_image,
            limit,
            None if crops is None else int(crops),
        )
        function(reading=reading, **rest)

    return command


def statistics_options(function: Function) -> Function:
    """Add the options of intervals; they arrive as one ``statistics``."""

    @click.option(
        "--ci",
        "level",
        type=click.FloatRange(0.5, 0.9999),
        default=0.95,
        show_default=True,
        help="Confidence level of intervals.",
    )
    @click.option(
        "--resamples",
        type=click.IntRange(min=1),
        default=2000,
        show_default=True,
        help="Bootstrap draws of an interval.",
    )
    @click.option("--seed", type=int, default=0, show_default=True, help="Of everything random.")
    @wraps(function)
    def command(*, level: float, resamples: int, seed: int, **rest: object) -> None:
        from evaluation.estimates import Statistics

        statistics: Statistics = Statistics(level, resamples, seed)
        function(statistics=statistics, **rest)

    return command


def output_options(function: Function) -> Function:
    """Add ``--out`` and ``--json``; they arrive as one ``output``."""

    @out_option
    @json_option
    @wraps(function)
    def command(*, out: Path | None, as_json: bool, **rest: object) -> None:
        if out is not None:
            from evaluation.report import refuse_existing

            # Before the work, not when all is computed.
            refuse_existing(out)
        function(output=Output(out, as_json), **rest)

    return command


def cut_offs(text: str) -> tuple[int, ...]:
    """Return the numbers of ``--k``.

    Raises:
        UsageError: they are none.
    """
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise UsageError(
            f"--k {text!r}: expected numbers with commas, for example 1,5,10"
        ) from error
