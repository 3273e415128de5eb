"""The reports of ``sightline evaluate`` that lie in one folder: their figures, and their pages.

Only names of that folder are read and no link is followed, whatever a client sends. A report of
another schema is listed with a word about it; its page can still be opened.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TypeGuard
from urllib.parse import quote

from core.errors import NotFoundError
from core.types import JSONObject, JSONValue

SCHEMA_VERSION = 2
"""Of ``metrics.json``, as docs/evaluate.md has it."""
MOST_REPORTS = 200
"""Reports of one list, the newest."""
METRICS_NAME = "metrics.json"
PAGE_NAME = "report.html"

_MOST_BYTES = 64 * 2**20
_MOST_METRICS = 4
_MOST_COUNT = 2**53
"""Beyond it programs that read JSON disagree about whole numbers."""
_HEADLINES = (
    "precision@10",
    "recall@10",
    "hit@1",
    "hit@10",
    "accuracy",
    "mean_per_class_recall",
    "ann_recall@10",
    "mean_reciprocal_rank",
    "ndcg@10",
    "ece_calibrated",
    "ece",
    "latency_p95_ms",
)
_STYLE = re.compile(rb"<style>(.*?)</style>", re.DOTALL)


def list_reports(folder: Path) -> list[JSONObject]:
    """Return the newest reports of a folder; one that cannot be read says why."""
    found = sorted(_report_folders(folder), key=lambda one: (-one[1], one[0]))
    return [_report(folder, name, written_ms) for name, written_ms in found[:MOST_REPORTS]]


def report_page(folder: Path, name: str) -> bytes:
    """Return the page of a report.

    Raises:
        NotFoundError: no report of that name, or one without a page.
    """
    if name not in {known for known, _ in _report_folders(folder)}:
        raise NotFoundError(f"there is no report {name[:100]!r}", param="name")
    try:
        return _read(folder, name, PAGE_NAME)
    except (OSError, ValueError) as error:
        raise NotFoundError(
            f"the report {name!r} has no page that can be shown; render it again: sightline "
            f"evaluate report REPORTS/{name} --out {PAGE_NAME}",
            param="name",
        ) from error


def page_policy(page: bytes) -> str:
    """Return the content policy of a report's page: its own style, pictures inside it, no more.

    It is shown in a frame of our page, in a sandbox: no script, no form, no origin.
    """
    digests = [hashlib.sha256(style).digest() for style in _STYLE.findall(page)]
    styles = [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]
    return (
        f"sandbox; default-src 'none'; style-src {' '.join(styles)}; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    )


def _report_folders(folder: Path) -> Iterator[tuple[str, int]]:
    """Yield name and time of each report, in milliseconds since 1970."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        if entry.name.startswith(".") or not entry.is_dir(follow_symlinks=False):
            continue
        try:
            found = os.stat(Path(entry.path) / METRICS_NAME, follow_symlinks=False)  # noqa: PTH116
        except OSError:
            continue
        # A name that is no text cannot stand in an address.
        if stat.S_ISREG(found.st_mode) and _printable(entry.name) == entry.name:
            yield entry.name, found.st_mtime_ns // 1_000_000


def _report(folder: Path, name: str, written_ms: int) -> JSONObject:
    page = folder / name / PAGE_NAME
    has_page = page.is_file() and not page.is_symlink()
    shown: JSONObject = {
        "name": name,
        "written_ms": written_ms,
        "kind": None,
        "model": None,
        "n": None,
        "metrics": [],
        "page_url": f"/v1/reports/{quote(name, safe='')}/page" if has_page else None,
        "problem": None,
    }
    try:
        return {**shown, **_figures(json.loads(_read(folder, name, METRICS_NAME)))}
    except (OSError, ValueError, ArithmeticError, RecursionError) as error:
        return {**shown, "problem": _printable(f"{METRICS_NAME} cannot be read: {error}")}


def _figures(content: JSONValue) -> JSONObject:
    """Return what a list shows of a report.

    Raises:
        ValueError: it is no report of a schema that this release reads.
    """
    if not isinstance(content, dict):
        raise ValueError("it is no JSON object")  # noqa: TRY004 - it is wrong data
    version = content.get("schema_version")
    if version != SCHEMA_VERSION:
        raise ValueError(
            f"it has schema version {version!r}, and this release reads {SCHEMA_VERSION}; "
            "evaluate again with this release"
        )
    metrics, provenance = content.get("metrics"), content.get("provenance")
    table = metrics if isinstance(metrics, dict) else {}
    model = provenance.get("model") if isinstance(provenance, dict) else None
    names = [name for name in _HEADLINES if name in table]
    names += [name for name in table if name not in names]
    shown = [_metric(name, table[name]) for name in names[:_MOST_METRICS]]
    counts = [metric.get("n") for metric in table.values() if isinstance(metric, dict)]
    return {
        "kind": _printable(content.get("kind")),
        "model": None if model is None else _printable(model),
        "n": max((count for count in counts if _is_count(count)), default=None),
        "metrics": [metric for metric in shown if metric is not None],
    }


def _metric(name: str, metric: JSONValue) -> JSONObject | None:
    if not isinstance(metric, dict):
        return None
    numbers: JSONObject = {key: _number(metric.get(key)) for key in ("value", "ci_low", "ci_high")}
    return {"name": _printable(name), **numbers, "unit": _printable(metric.get("unit", ""))}


def _number(value: JSONValue) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def _is_count(value: JSONValue) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_COUNT


def _printable(value: JSONValue) -> str:
    """Return a value as text that can be sent; half characters become question marks."""
    return str(value).encode(errors="replace").decode()


def _read(folder: Path, name: str, file_name: str) -> bytes:
    """Return a regular file of a report, through no link.

    Raises:
        OSError: there is none.
        ValueError: it is too large.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    parent = os.open(folder / name, flags | os.O_DIRECTORY)
    try:
        descriptor = os.open(file_name, flags | os.O_NONBLOCK, dir_fd=parent)
    finally:
        os.close(parent)
    with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor, not a path
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode) or found.st_size > _MOST_BYTES:
            raise ValueError(f"{file_name} is no file of at most {_MOST_BYTES} bytes")
        return file.read()
