"""Marks that were made elsewhere, from files: lines of JSON, or qrels with their queries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from cli.any_gallery import Mode
from core.errors import PairsError
from core.types import JSONObject


@dataclass(frozen=True, slots=True)
class ImportedMarks:
    """Marks of one query."""

    query: str
    mode: Mode
    filter: JSONObject | None
    grades: Mapping[str, int]


def marks_of_lines(path: Path) -> Iterator[ImportedMarks]:
    """Yield the marks of a file as ``sightline judgements export jsonl`` writes it.

    Raises:
        PairsError: the file cannot be read, or a line is none; with its number.
    """
    from index.filters import filter_json
    from index.judgement_files import read_judgements

    for change in read_judgements(path):
        query, grades = change.query, change.grades
        chosen = filter_json(query.filter)
        yield ImportedMarks(
            query.text,
            query.mode,
            chosen if isinstance(chosen, dict) else None,
            {name: grade for name, grade in grades.items() if grade is not None},
        )


def marks_of_qrels(qrels: Path, queries: Path) -> Iterator[ImportedMarks]:
    """Yield the marks of TREC judgements; any grade above 0 is right.

    Args:
        qrels: query, 0, item, grade.
        queries: id, tab, text.

    Raises:
        PairsError: a file cannot be read, a line is of another shape, or a query has no text.
    """
    from core.measures.trec import read_qrels
    from index.judgements import MOST_MARKS

    texts = read_queries(queries)
    for name, grades in read_qrels(qrels).items():
        if name not in texts:
            raise PairsError(f"{queries} has no text of the query {name!r}, which {qrels} judges")
        marks = [(unquote(item), int(grade > 0)) for item, grade in grades.items()]
        for start in range(0, len(marks), MOST_MARKS):
            yield ImportedMarks(
                texts[name], "vector", None, dict(marks[start : start + MOST_MARKS])
            )


def read_queries(path: Path) -> dict[str, str]:
    """Return the text of each query by its id; one query a line, separated by a tab.

    Raises:
        PairsError: the file cannot be read, or a line has no tab; with its number.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise PairsError(f"{path} cannot be read: {error}") from error
    texts: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        name, tab, text = line.partition("\t")
        if not tab or not text.strip():
            raise PairsError(f"{path}:{number}: expected an id, a tab and the text of the query")
        texts[name] = text.strip()
    return texts
