"""Reports: an evaluation as strict JSON, and as a folder of files that anyone can check.

A report folder is an artifact. ``metrics.json`` says everything, ``per_query.csv`` has one row per
query or image, ``report.md`` and ``report.html`` are for people; what else there is depends on the
kind. The same data, model, settings and release give the same bytes.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from core.artifacts import new_artifact, write_atomic, write_json
from core.errors import ArtifactError
from core.types import JSONObject, JSONValue
from evaluation.estimates import Measurements, Metric, Statistics
from evaluation.html_report import report_page
from evaluation.markdown import markdown_report
from evaluation.plots import MATPLOTLIB_IS_MISSING, matplotlib_is_installed
from evaluation.provenance import Provenance

KIND = "report"
SCHEMA_VERSION = 2
"""Raised when a field of ``metrics.json`` changes its meaning."""

logger = logging.getLogger(__name__)

Cell = str | int | float | None
Table = Sequence[Sequence[Cell]]


@dataclass(frozen=True, slots=True)
class Report:
    """One evaluation of any kind."""

    kind: str
    """``retrieval``, ``score``, ``classify``, ``probe`` or ``ann``."""
    metrics: Mapping[str, Metric]
    provenance: Provenance
    comparable: Mapping[str, str | None]
    """Digests that have to be equal before two reports may be compared."""
    settings: JSONObject
    """What was asked for."""
    details: JSONObject
    """What this kind has besides: curves, counts, plots' data."""
    statistics: Statistics = field(default_factory=Statistics)
    measured: Measurements | None = None
    """The units behind the metrics; ``None`` where there are none to pair with others."""
    detectable: Mapping[str, float | None] = field(default_factory=dict)
    """Smallest detectable difference by metric."""
    slices: Mapping[str, Mapping[str, Metric]] = field(default_factory=dict)
    """Metrics by value of the field ``settings["group_by"]``."""
    tables: Mapping[str, Table] = field(default_factory=dict)
    """Further CSV files, by name."""
    lines: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Further text files (TREC), by name."""
    objects: Mapping[str, Sequence[JSONObject]] = field(default_factory=dict)
    """Further JSONL files, by name."""


def report_json(report: Report) -> JSONObject:
    """Return the report as strict JSON: no NaN, what has no value is ``null``."""
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": report.kind,
        "average": "macro",
        "metrics": metrics_json(report.metrics),
        "per_query_metrics": list(report.measured.values) if report.measured else [],
        "statistics": {
            **dataclasses.asdict(report.statistics),
            "smallest_detectable_difference": {
                name: _number(value) for name, value in report.detectable.items()
            },
        },
        "slices": {group: metrics_json(found) for group, found in report.slices.items()},
        **report.details,
        "settings": report.settings,
        "comparable": dict(report.comparable),
        "provenance": dataclasses.asdict(report.provenance),
    }


def metrics_json(metrics: Mapping[str, Metric]) -> JSONObject:
    """Return metrics as strict JSON."""
    return {
        name: {key: _plain(value) for key, value in dataclasses.asdict(metric).items()}
        for name, metric in metrics.items()
    }


def write_report(report: Report, folder: Path) -> None:
    """Write the report as a new folder, all of it or nothing.

    Without matplotlib ``report.html`` is left out, and a warning says so.

    Raises:
        ArtifactError: the folder exists already.
    """
    content = report_json(report)
    with new_artifact(
        folder,
        kind=KIND,
        format_version=SCHEMA_VERSION,
        extra={"encoder_id": report.provenance.encoder_id},
    ) as temporary:
        write_json(temporary / "metrics.json", content)
        for name, data in _files(report).items():
            write_atomic(temporary / name, data)
        write_atomic(temporary / "report.md", markdown_report(content).encode())
        _write_page(temporary)


def _write_page(folder: Path) -> None:
    """Write ``report.html`` from the other files, which are kept if it cannot be made."""
    if not matplotlib_is_installed():
        logger.warning("report.html is not written: %s", MATPLOTLIB_IS_MISSING)
        return
    try:
        page = report_page(folder)
    except Exception:  # hours of measuring are not thrown away for a page
        logger.exception("report.html is not written; the other files are")
        return
    write_atomic(folder / "report.html", page.encode())


def refuse_existing(folder: Path) -> None:
    """Say before the work, not after it, that a report would not be written over another.

    Raises:
        ArtifactError: the folder exists already.
    """
    if folder.exists():
        raise ArtifactError(f"{folder} exists already; reports are immutable, choose a new name")


def csv_bytes(rows: Iterable[Sequence[Cell]]) -> bytes:
    """Return rows as CSV; a value that is not defined is an empty cell."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(
        [_number(cell) if isinstance(cell, float) else cell for cell in row] for row in rows
    )
    return text.getvalue().encode()


def measured_table(measured: Measurements) -> list[Sequence[Cell]]:
    """Return the rows of ``per_query.csv``: id, cluster, group, texts, then a column a metric."""
    header = ("id", "cluster", "group", *measured.texts, *measured.values)
    columns = [
        measured.ids,
        measured.clusters,
        measured.groups,
        *measured.texts.values(),
        *(np.asarray(column, np.float64).tolist() for column in measured.values.values()),
    ]
    return [header, *zip(*columns, strict=True)]


def _files(report: Report) -> dict[str, bytes]:
    files = {name: csv_bytes(rows) for name, rows in report.tables.items()}
    if report.measured is not None:
        files["per_query.csv"] = csv_bytes(measured_table(report.measured))
    for name, lines in report.lines.items():
        files[name] = "".join(f"{line}\n" for line in lines).encode()
    for name, objects in report.objects.items():
        files[name] = "".join(
            json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n" for value in objects
        ).encode()
    return files


def _number(value: float | None) -> float | None:
    # Adding 0 makes 0 of the -0 that a logarithm of 1 leaves.
    return float(value) + 0.0 if value is not None and math.isfinite(value) else None


def _plain(value: JSONValue) -> JSONValue:
    return _number(value) if isinstance(value, float) else value
