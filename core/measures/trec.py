"""TREC files: runs and judgements, the common tongue of retrieval evaluation.

    qrels   query  0   document  grade
    run     query  Q0  document  rank  score  tag

Written runs hold scores that fall by one with the rank, so that every tool that reads them sees our
order whatever it does with ties. White space in an id is written as in an address (``%20``).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from core.errors import PairsError

_QRELS_FIELDS = 4
_RUN_FIELDS = 6

_ESCAPED = re.compile(r"[\s%]")

Qrels = dict[str, dict[str, int]]
"""Grade of each judged document, by query."""
Run = dict[str, dict[str, float]]
"""Score of each document that was found, by query."""


def read_qrels(path: Path) -> Qrels:
    """Read judgements; lines that begin with ``#`` are comments.

    Raises:
        PairsError: a line of another shape, or a document judged twice; with the line.
    """
    qrels: Qrels = {}
    for where, fields in _lines(path, _QRELS_FIELDS, "query 0 document grade"):
        query, _, document, grade = fields
        judged = qrels.setdefault(query, {})
        if document in judged:
            raise PairsError(f"{where}: {document!r} is judged twice for the query {query!r}")
        judged[document] = _whole(grade, where)
    if not qrels:
        raise PairsError(f"{path} holds no judgements")
    return qrels


def read_run(path: Path) -> Run:
    """Read a run; the order is that of the scores, the column of ranks is not looked at.

    Raises:
        PairsError: a line of another shape, or a document found twice; with the line.
    """
    run: Run = {}
    for where, fields in _lines(path, _RUN_FIELDS, "query Q0 document rank score tag"):
        query, _, document, _, score, _ = fields
        found = run.setdefault(query, {})
        if document in found:
            raise PairsError(f"{where}: {document!r} is found twice for the query {query!r}")
        found[document] = _score(score, where)
    if not run:
        raise PairsError(f"{path} holds no results")
    return run


def run_lines(query_ids: Sequence[str], lists: Sequence[Sequence[str]], *, tag: str) -> list[str]:
    """Return the lines of a run, one list of ids per query, best first."""
    names = {name: written(name) for found in lists for name in found}
    tag = written(tag)
    return [
        f"{query} Q0 {names[name]} {rank} {len(found) - rank + 1} {tag}"
        for query, found in zip(map(written, query_ids), lists, strict=True)
        for rank, name in enumerate(found, start=1)
    ]


def qrels_lines(judgements: Sequence[tuple[str, Mapping[str, int]]]) -> list[str]:
    """Return the lines of judgements: for each query the grades of its documents."""
    return [
        f"{written(query)} 0 {written(name)} {grade}"
        for query, grades in judgements
        for name, grade in grades.items()
    ]


def written(name: str) -> str:
    """Return an id without white space."""
    return _ESCAPED.sub(_escape, name)


def _escape(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match[0].encode())


def _lines(path: Path, count: int, shape: str) -> Iterator[tuple[str, list[str]]]:
    """Yield place and fields of every line that is neither blank nor a comment."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise PairsError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise PairsError(f"{path} is not UTF-8 text: {error}; save it as UTF-8") from error
    for number, line in enumerate(text.split("\n"), start=1):
        fields = line.split()
        if not fields or line.startswith("#"):
            continue
        where = f"{path}:{number}"
        if len(fields) != count:
            raise PairsError(f"{where}: {len(fields)} fields, expected {count}: {shape}")
        yield where, fields


def _whole(text: str, where: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise PairsError(f"{where}: the grade {text!r} is no whole number") from error


def _score(text: str, where: str) -> float:
    try:
        score = float(text)
    except ValueError as error:
        raise PairsError(f"{where}: the score {text!r} is no number") from error
    if not math.isfinite(score):
        raise PairsError(f"{where}: the score is {text}; what is not finite cannot be ranked")
    return score
