"""Judgements as files that other tools read, and back.

    qrels      query_id 0 item_id grade            TREC; sightline evaluate score, trec_eval, ranx
    queries    query_id<tab>text                   one line a query, as ir_datasets and BEIR have it
    run        query_id Q0 item_id rank score tag  TREC; what search finds now
    jsonl      one mark a line, with everything    lossless: sightline judgements import

Marks of pictures that are not in the gallery now are in ``jsonl`` alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.errors import PairsError, UsageError
from core.measures.trec import qrels_lines, run_lines
from core.types import JSONObject
from index.filters import filter_json
from index.judged_queries import JudgedQuery, judged_query, known_mode
from index.judgements import (
    MOST_MARKS,
    Judge,
    Judgement,
    check_grades,
    judged_queries,
    judgements_of,
)
from index.store import StoreReader

JUDGEMENTS_NAME = "judgements.jsonl"
"""Of the marks in an exported gallery."""
_RUN_TAG = "sightline"


@dataclass(frozen=True, slots=True)
class JudgedSet:
    """A query with its marks."""

    query: JudgedQuery
    marks: tuple[Judgement, ...]

    @property
    def grades(self) -> dict[str, int]:
        """Grade of each marked item whose picture is in the gallery, by its id."""
        return {mark.item_id: mark.grade for mark in self.marks if mark.present}


def judged_sets(store: StoreReader) -> list[JudgedSet]:
    """Return every judged query with its marks, the newest query first; one state of both.

    Raises:
        StorageError: the database cannot be read.
    """
    with store.frozen():
        queries = [summary.query for summary in judged_queries(store)]
        marks = judgements_of(store, queries)
    return [JudgedSet(query, marks[query.id]) for query in queries]


def qrels_text(sets: Sequence[JudgedSet]) -> str:
    """Return the marks as TREC judgements."""
    return _text(qrels_lines([(one.query.id, one.grades) for one in sets]))


def queries_text(sets: Sequence[JudgedSet]) -> str:
    """Return id and text of each query that has a mark in the qrels, separated by a tab."""
    return _text([f"{one.query.id}\t{' '.join(one.query.text.split())}" for one in _present(sets)])


def run_text(found: Mapping[str, Sequence[str]]) -> str:
    """Return what search finds, ids best first by the id of the query, as a TREC run."""
    return _text(run_lines(list(found), list(found.values()), tag=_RUN_TAG))


def jsonl_text(sets: Sequence[JudgedSet]) -> str:
    """Return every mark as a JSON object of a line."""
    lines = (_object(one.query, mark) for one in sets for mark in one.marks)
    return _text([json.dumps(line, ensure_ascii=False, allow_nan=False) for line in lines])


def write_judgements(store: StoreReader, path: Path) -> None:
    """Write all marks as lines of JSON; no file where there are none."""
    text = jsonl_text(judged_sets(store))
    if text:
        path.write_text(text, encoding="utf-8", newline="\n")


def read_judgements(path: Path) -> list[Judge]:
    """Return the changes that store the marks of a file as ``jsonl`` has them.

    Raises:
        PairsError: the file cannot be read, or a line is none; with its number.
    """
    marks: dict[str, dict[str, _Mark]] = {}
    for where, fields in _objects(path):
        try:
            mark = _mark(fields)
        except KeyError as error:
            raise PairsError(f"{where}: the field {error} is missing") from error
        except UsageError as error:
            raise PairsError(f"{where}: {error}") from error
        marks.setdefault(mark.query.id, {})[mark.item_id] = mark
    return [_change(part) for found in marks.values() for part in _parts(list(found.values()))]


@dataclass(frozen=True, slots=True)
class _Mark:
    query: JudgedQuery
    item_id: str
    grade: int
    digest: str


def _mark(fields: JSONObject) -> _Mark:
    query = judged_query(
        str(fields["query"]),
        mode=known_mode(fields.get("mode", "vector")),
        filter=fields.get("filter"),
    )
    item_id, grade = str(fields["item_id"]), fields["grade"]
    if not isinstance(grade, int):
        raise UsageError(f"the grade of {item_id!r} is {grade!r}; give 1 (right) or 0 (wrong)")
    check_grades({item_id: grade})
    return _Mark(query, item_id, grade, str(fields.get("digest") or ""))


def _change(marks: Sequence[_Mark]) -> Judge:
    return Judge(
        marks[0].query,
        {mark.item_id: mark.grade for mark in marks},
        {mark.item_id: mark.digest for mark in marks},
    )


def _present(sets: Sequence[JudgedSet]) -> Iterator[JudgedSet]:
    return (one for one in sets if one.grades)


def _object(query: JudgedQuery, mark: Judgement) -> JSONObject:
    return {
        "query_id": query.id,
        "query": query.text,
        "mode": query.mode,
        "filter": filter_json(query.filter),
        "item_id": mark.item_id,
        "grade": mark.grade,
        "digest": mark.digest,
        "judged_ms": mark.judged_ms,
    }


def _objects(path: Path) -> Iterator[tuple[str, JSONObject]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise PairsError(f"{path} cannot be read: {error}") from error
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            fields = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise PairsError(f"{path}:{number}: not valid JSON: {error}") from error
        if not isinstance(fields, dict):
            raise PairsError(f"{path}:{number}: expected a JSON object")
        yield f"{path}:{number}", fields


def _parts(marks: Sequence[_Mark]) -> Iterator[Sequence[_Mark]]:
    return (marks[start : start + MOST_MARKS] for start in range(0, len(marks), MOST_MARKS))


def _text(lines: Sequence[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
