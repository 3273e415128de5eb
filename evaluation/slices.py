"""The slice of the data that a pair belongs to: the value of one of its fields."""

from __future__ import annotations

from collections.abc import Sequence

from core.errors import UsageError
from core.pairs.pair import Pair

NONE = "(none)"
"""Slice of the pairs that have no such field."""
_MOST_SLICES = 100


def group_of(pair: Pair, field: str | None) -> str:
    """Return the value of a metadata field, or of ``label``, as text; empty without a field."""
    if field is None:
        return ""
    value = pair.label if field == "label" else pair.metadata.get(field)
    return NONE if value is None else str(value)


def check_field(pairs: Sequence[Pair], field: str | None) -> None:
    """Refuse a field that no pair has, or that has too many values to be slices.

    Raises:
        UsageError: with the fields that there are.
    """
    if field is None:
        return
    values = {group_of(pair, field) for pair in pairs}
    if values <= {NONE}:
        known = sorted({name for pair in pairs for name in pair.metadata} | {"label"})
        raise UsageError(
            f"--group-by {field!r}: no pair has that field; there are {', '.join(known)}",
            param="group_by",
        )
    if len(values) > _MOST_SLICES:
        raise UsageError(
            f"--group-by {field!r}: {len(values)} values, more than the limit of {_MOST_SLICES}; "
            "choose a coarser field",
            param="group_by",
        )
