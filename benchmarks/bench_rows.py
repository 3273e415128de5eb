"""One line of the table that ``make bench`` prints: two sides, rounds in turn, who wins.

A ratio is above 1 where ours is ahead, whatever the unit. It is taken within each round, so that
what the machine did meanwhile is the same for both; the line shows the median and the spread.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Literal

from core.types import JSONObject

HEADER = (
    "| part | what | sightline | beside | ratio (least-most) | aim | result |\n"
    "|---|---|---|---|---|---|---|"
)
Better = Literal["more", "less"]


@dataclass(frozen=True, slots=True)
class Row:
    """What was measured once, with both sides in turn, or the reason why it was not."""

    part: str
    """The benchmark it belongs to: ``embedding``."""
    what: str
    """``one JPEG of 640 x 480, bfloat16``."""
    unit: str = ""
    """Of both sides: ``ms``, ``images/s``."""
    better: Better = "more"
    """Whether more of the unit is better, or less."""
    ours: tuple[float, ...] = ()
    """One number a round."""
    beside: str = ""
    """What the others are: ``open_clip eager``, ``the matrix product's best``."""
    theirs: tuple[float, ...] = ()
    """One number a round; a single one is held against every round."""
    aim: float | None = None
    """Least ratio that was asked for."""
    most_apart: float | None = None
    """Asked for instead of a ratio: ours is at most so many units more than theirs."""
    is_limit: bool = False
    """The other side is what the machine or the model can do: nobody wins against it."""
    reason: str = ""
    """Why there are no numbers: ``failed: ...`` or ``not measured: ...``."""
    note: str = ""
    """What a reader has to know to read the line."""

    def ratios(self) -> tuple[float, ...]:
        """Return one ratio a round, above 1 where ours is ahead; empty without both sides."""
        if not self.ours or not self.theirs:
            return ()
        theirs = self.theirs * len(self.ours) if len(self.theirs) == 1 else self.theirs
        pairs = zip(self.ours, theirs, strict=True)
        if self.better == "more":
            return tuple(own / other for own, other in pairs)
        return tuple(other / own for own, other in pairs)

    @property
    def ratio(self) -> float | None:
        """The median ratio."""
        found = self.ratios()
        return statistics.median(found) if found else None

    @property
    def apart(self) -> float | None:
        """The median of ours less theirs, in the unit."""
        if not self.ours or not self.theirs:
            return None
        return statistics.median(self.ours) - statistics.median(self.theirs)

    @property
    def is_met(self) -> bool | None:
        """Whether the aim is met; ``None`` where there is none, or nothing was measured."""
        if self.most_apart is not None and self.apart is not None:
            return self.apart <= self.most_apart
        if self.aim is not None and self.ratio is not None:
            return self.ratio >= self.aim
        return None


def verdict(row: Row) -> str:
    """Return who wins and whether the aim is met, in words."""
    if row.reason:
        return row.reason
    found = row.ratios()
    words = []
    if found and not _is_bound(row):
        side = "lost" if statistics.median(found) < 1 else "won"
        words.append("even" if min(found) < 1 < max(found) else side)
    if row.is_met is not None:
        words.append("aim met" if row.is_met else "aim missed")
    return ", ".join(words) or "for information"


def line(row: Row) -> str:
    """Return the line of the table."""
    cells = [row.part, row.what + (f" ({row.note})" if row.note else "")]
    cells += [spread(row.ours, row.unit), _other(row), _ratio(row), _aim(row), verdict(row)]
    return "| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |"


def table(rows: Iterable[Row]) -> str:
    """Return the rows as one Markdown table."""
    return "\n".join([HEADER, *(line(row) for row in rows)])


def tally(rows: Sequence[Row]) -> str:
    """Return how many lines were won, and how many aims met."""
    words = [verdict(row).split(", ", maxsplit=1)[0] for row in rows]
    counts = [f"{words.count(word)} {word}" for word in ("won", "even", "lost")]
    aims = [row.is_met for row in rows if row.is_met is not None]
    missing = sum(bool(row.reason) for row in rows)
    return f"{', '.join(counts)}; {sum(aims)} of {len(aims)} aims met; {missing} not measured"


def spread(numbers: Sequence[float], unit: str) -> str:
    """Return ``4.2 ms (4.0-4.6)``: median, least and greatest."""
    if not numbers:
        return ""
    middle = f"{short(statistics.median(numbers), unit)} {unit}".strip()
    if len(numbers) == 1:
        return middle
    return f"{middle} ({short(min(numbers), unit)}-{short(max(numbers), unit)})"


def short(number: float, unit: str = "") -> str:
    """Return a number with three digits that count; of a cosine what is missing to 1 counts."""
    if unit == "cosine":
        return f"{number:.5f}"
    size = abs(number)
    if size >= 100:
        return f"{number:.0f}"
    return f"{number:.1f}" if size >= 10 else f"{number:.2f}"


def write_rows(path: Path, rows: Iterable[Row], *, about: JSONObject) -> None:
    """Write rows and what is known about the run as JSON."""
    listed: list[JSONObject] = [as_json(row) for row in rows]
    text = json.dumps({**about, "rows": [*listed]}, indent=1)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n", encoding="utf-8")


def as_json(row: Row) -> JSONObject:
    """Return a row for a file, with what follows from its numbers."""
    derived = {"ratio": row.ratio, "aim_met": row.is_met, "result": verdict(row)}
    return {**asdict(row), **derived}


def from_json(read: JSONObject) -> Row:
    """Return the row that ``as_json`` wrote."""
    known = {field.name for field in fields(Row)}
    values = {name: value for name, value in read.items() if name in known}
    for name in ("ours", "theirs"):
        values[name] = tuple(values.get(name, ()))
    return Row(**values)


def _is_bound(row: Row) -> bool:
    """Return whether the line is no contest."""
    return row.is_limit or row.most_apart is not None


def _other(row: Row) -> str:
    if not row.theirs or row.unit == "cosine":
        return row.beside
    return f"{row.beside}: {spread(row.theirs, row.unit)}"


def _ratio(row: Row) -> str:
    found = row.ratios()
    if not found:
        return ""
    if row.most_apart is not None:
        return f"{row.apart:+.2f} {row.unit}"
    if row.unit == "cosine":
        return ""
    if _is_bound(row):
        return spread([100 * ratio for ratio in found], "%")
    return spread(found, "")


def _aim(row: Row) -> str:
    if row.most_apart is not None:
        return f"+{row.most_apart:g} {row.unit}"
    if row.aim is None:
        return ""
    if row.unit == "cosine":
        return short(statistics.median(row.theirs), row.unit)
    return f"{100 * row.aim:g} %" if row.is_limit else f"{row.aim:g}"
