"""A ranked list as a person types it: ``TTFFFTFT``, or a small JSON file."""

from __future__ import annotations

from pathlib import Path

from core.errors import UsageError

_JUDGEMENTS = {"T": True, "1": True, "F": False, "0": False}
_IGNORED = frozenset(" ,")


def read_ranked_list(source: str, *, relevant: int | None) -> tuple[list[bool], int]:
    """Return the judgements, best place first, and how many relevant items there are in all.

    Args:
        source: T and F (or 1 and 0), or the path of a JSON file.
        relevant: overrides the number in the file; by default those in the list.

    Raises:
        UsageError: nothing to rank, or another letter than T and F.
        ArtifactError: a file that is not JSON.
    """
    path = Path(source)
    if path.suffix == ".json":
        hits, in_file = _read_file(path)
        relevant = in_file if relevant is None else relevant
    else:
        hits = [_judgement(letter, source) for letter in source if letter not in _IGNORED]
    if not hits:
        raise UsageError("the ranked list is empty; give one letter per place, for example TTF")
    return hits, sum(hits) if relevant is None else relevant


def _judgement(letter: str, source: str) -> bool:
    if letter.upper() not in _JUDGEMENTS:
        raise UsageError(
            f"{letter!r} in {source!r}: expected T for relevant and F for not, or a .json file"
        )
    return _JUDGEMENTS[letter.upper()]


def _read_file(path: Path) -> tuple[list[bool], int | None]:
    from core.artifacts import read_json

    content = read_json(path)
    ranked, relevant = content.get("ranked"), content.get("relevant")
    if not isinstance(ranked, list) or not all(isinstance(hit, bool) for hit in ranked):
        raise UsageError(f'{path}: expected {{"ranked": [true, false, ...], "relevant": 4}}')
    if relevant is not None and (isinstance(relevant, bool) or not isinstance(relevant, int)):
        raise UsageError(f"{path}: relevant = {relevant!r}: expected a whole number")
    return [bool(hit) for hit in ranked], relevant
