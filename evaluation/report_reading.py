"""Reading report folders back, to compare them: metrics, values per query, digests.

# N = queries (or images) of the report
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.artifacts import MANIFEST_NAME, read_json, read_manifest, verify_files
from core.errors import ArtifactError
from core.types import JSONObject, JSONValue
from evaluation.report import KIND, SCHEMA_VERSION
from evaluation.table_rows import table_rows

METRICS_NAME = "metrics.json"
PER_QUERY_NAME = "per_query.csv"


@dataclass(frozen=True, slots=True)
class PerQuery:
    """The values of single queries."""

    ids: tuple[str, ...]
    clusters: tuple[str, ...]
    """What is drawn together, for example the image that a caption belongs to."""
    values: dict[str, NDArray[np.float64]]
    """By metric, (N,); NaN where a query has no value."""


@dataclass(frozen=True, slots=True)
class StoredReport:
    """A report as it lies on disk."""

    path: Path
    kind: str
    model: str
    metrics: dict[str, float | None]
    """Value of each metric; ``None`` where it is not defined."""
    comparable: dict[str, str | None]
    """Digests that have to be equal before two reports may be compared."""
    queries: PerQuery | None
    """``None`` where the report has no values of single queries."""


def read_report(path: Path) -> StoredReport:
    """Read a report folder, or the folder of a ``metrics.json`` or ``per_query.csv``.

    Raises:
        ArtifactError: it is no report of this schema, or a table does not fit.
        IntegrityError: a file differs from the folder's manifest.
    """
    folder = path.parent if path.name in {METRICS_NAME, PER_QUERY_NAME} else path
    if (folder / MANIFEST_NAME).exists():
        verify_files(folder, read_manifest(folder, kind=KIND, format_version=SCHEMA_VERSION))
    content = read_json(folder / METRICS_NAME)
    version = content.get("schema_version")
    if version != SCHEMA_VERSION:
        raise ArtifactError(
            f"{folder / METRICS_NAME} has schema version {version!r}; this release reads "
            f"{SCHEMA_VERSION}. Evaluate again with this release"
        )
    names = _texts(content.get("per_query_metrics", []), folder)
    return StoredReport(
        path=folder,
        kind=str(content.get("kind")),
        model=str(_table(content, "provenance", folder).get("model") or ""),
        metrics=_values(_table(content, "metrics", folder), folder),
        comparable=_digests(_table(content, "comparable", folder), folder),
        queries=_per_query(folder / PER_QUERY_NAME, names) if names else None,
    )


def _per_query(path: Path, names: tuple[str, ...]) -> PerQuery:
    rows = list(table_rows(path))
    missing = [name for name in ("id", "cluster", *names) if rows and name not in rows[0]]
    if missing:
        raise ArtifactError(f"{path} has no column {missing[0]!r}, which metrics.json names")
    ids = tuple(row["id"] for row in rows)
    if len(set(ids)) != len(ids):
        raise ArtifactError(f"{path} has an id twice; each query has one row")
    return PerQuery(
        ids=ids,
        clusters=tuple(row["cluster"] for row in rows),
        values={
            name: np.array(
                [_cell(row[name], f"{path}, line {line}") for line, row in enumerate(rows, 2)]
            )
            for name in names
        },
    )


def _cell(text: str | None, where: str) -> float:
    """Return the number of a cell; an empty one is NaN."""
    try:
        value = float(text) if text else math.nan
    except ValueError as error:
        raise ArtifactError(f"{where}: {text!r} is no number") from error
    if math.isinf(value):
        raise ArtifactError(f"{where}: {text!r} is not finite")
    return value


def _values(metrics: JSONObject, folder: Path) -> dict[str, float | None]:
    values: dict[str, float | None] = {}
    for name, metric in metrics.items():
        value = metric.get("value") if isinstance(metric, dict) else "missing"
        if isinstance(value, bool) or not isinstance(value, int | float | None):
            raise ArtifactError(f"{folder / METRICS_NAME}: metric {name!r} has no value")
        values[name] = None if value is None else float(value)
    return values


def _digests(comparable: JSONObject, folder: Path) -> dict[str, str | None]:
    digests: dict[str, str | None] = {}
    for name, digest in comparable.items():
        if not isinstance(digest, str | None):
            raise ArtifactError(f"{folder / METRICS_NAME}: comparable.{name} is no digest")
        digests[name] = digest
    return digests


def _table(content: JSONObject, name: str, folder: Path) -> JSONObject:
    table = content.get(name)
    if not isinstance(table, dict):
        raise ArtifactError(f"{folder / METRICS_NAME} has no table {name!r}")
    return table


def _texts(value: JSONValue, folder: Path) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise ArtifactError(f"{folder / METRICS_NAME}: per_query_metrics is no list of names")
    return tuple(str(name) for name in value)
