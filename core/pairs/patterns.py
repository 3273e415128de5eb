"""Names of sources: one split after ``#``, and patterns that stand for several files."""

from __future__ import annotations

import re
from pathlib import Path

from core.errors import PairsError

_RANGE = re.compile(r"(\d+)\.\.(\d+)")
_BRACES = re.compile(r"\{([^{}]*)\}")
_WILD = re.compile(r"[*?\[]")


def split_of(source: Path) -> tuple[Path, str | None]:
    """Return the path and the split of ``path#split``; a file of that whole name comes first."""
    name, mark, split = source.name.rpartition("#")
    if not mark or not name or not split or source.exists():
        return source, None
    return source.with_name(name), split


def matching_files(pattern: Path) -> list[Path]:
    """Return the files that a pattern stands for, in order; none where it is no pattern.

    ``{000..003}`` counts with leading zeros, ``{a,b}`` lists, ``*``, ``?`` and ``[...]`` match
    within one name of the path.

    Raises:
        PairsError: a file that braces name does not exist, or wildcards match nothing.
    """
    text = str(pattern)
    if not (_BRACES.search(text) or _WILD.search(text)) or pattern.exists():
        return []
    found: list[Path] = []
    for name in expand_braces(text):
        matches = _matches(Path(name)) if _WILD.search(name) else [Path(name)]
        missing = [match for match in matches if not match.exists()]
        if missing or not matches:
            raise PairsError(
                f"{missing[0] if missing else name} does not exist; it is asked for "
                f"by the pattern {text}"
            )
        found.extend(matches)
    return found


def expand_braces(text: str) -> list[str]:
    """Return the texts that braces stand for: ``a{0..2}`` is a0, a1, a2; ``{x,y}`` is x, y."""
    match = _BRACES.search(text)
    if match is None:
        return [text]
    counted = _RANGE.fullmatch(match[1])
    if counted is None:
        choices = match[1].split(",")
    else:
        width = len(counted[1])
        choices = [f"{n:0{width}d}" for n in range(int(counted[1]), int(counted[2]) + 1)]
    return [
        rest
        for choice in choices
        for rest in expand_braces(text[: match.start()] + choice + text[match.end() :])
    ]


def _matches(pattern: Path) -> list[Path]:
    parts = pattern.parts
    first = next(place for place, part in enumerate(parts) if _WILD.search(part))
    root = Path(*parts[:first])
    return sorted(root.glob(str(Path(*parts[first:]))))
