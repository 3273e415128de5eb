"""``report.html``: one page of a report that holds everything in itself and runs nothing.

It is made of the files of the report folder alone: ``metrics.json``, ``per_query.csv`` and
``predictions.jsonl``; thumbnails are made of the pictures, as long as they lie where they did.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from core.artifacts import read_json
from core.errors import ArtifactError
from core.types import JSONObject
from evaluation.html_confidence import confidence_sections
from evaluation.html_confusion import class_sections
from evaluation.html_facts import fact_sections
from evaluation.html_headline import headline, introduction
from evaluation.html_latency import latency_section
from evaluation.html_page import html_page
from evaluation.html_retrieval import retrieval_sections
from evaluation.html_sweeps import sweep_sections, template_section
from evaluation.html_worst import Row, worst_rows, worst_section
from evaluation.plots import require_matplotlib
from evaluation.table_rows import table_rows
from evaluation.thumbnails import Thumbnail, thumbnail

_TITLES = {
    "retrieval": "Retrieval",
    "score": "Scored run",
    "classify": "Zero-shot labels",
    "probe": "Linear probe",
    "ann": "Index",
}


def report_page(folder: Path) -> str:
    """Return the page of a report folder.

    Raises:
        ArtifactError: a file of the report cannot be read.
        UsageError: matplotlib is not installed.
    """
    require_matplotlib()
    queries = folder / "per_query.csv"
    worst = worst_rows(table_rows(queries)) if queries.exists() else []
    return html_report(
        read_json(folder / "metrics.json"),
        worst=worst,
        predictions=_predictions(folder / "predictions.jsonl", {row["id"] for row in worst}),
        thumbnail=thumbnail,
    )


def html_report(
    content: JSONObject,
    *,
    worst: Sequence[Row],
    predictions: Mapping[str, Mapping[str, Any]],
    thumbnail: Thumbnail,
) -> str:
    """Return the page of a report.

    Args:
        content: of ``metrics.json``.
        worst: rows of ``per_query.csv``, the worst first.
        predictions: objects of ``predictions.jsonl`` for them, by id.
        thumbnail: makes small pictures.

    Raises:
        UsageError: matplotlib is not installed.
    """
    fields: dict[str, Any] = dict(content)
    kind = str(fields["kind"])
    model = fields["provenance"].get("model")
    title = f"{_TITLES.get(kind, kind)}: {model}" if model else _TITLES.get(kind, kind)
    return html_page(
        title,
        intro=introduction(fields),
        sections=[
            headline(fields),
            *retrieval_sections(fields),
            *sweep_sections(fields),
            *class_sections(fields),
            *confidence_sections(fields),
            template_section(fields),
            latency_section(fields.get("latency_histogram") or [], fields["metrics"]),
            worst_section(worst, predictions, functools.cache(thumbnail)),
            *fact_sections(fields),
        ],
    )


def _predictions(path: Path, ids: Collection[str]) -> dict[str, dict[str, Any]]:
    """Return the objects with these ids of a file with one a line, which may be long."""
    if not path.exists():
        return {}
    try:
        with path.open(encoding="utf-8", newline="\n") as file:
            found = (json.loads(line) for line in file)
            return {item["id"]: item for item in found if item["id"] in ids}
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{path} cannot be read: {error}; evaluate again") from error
