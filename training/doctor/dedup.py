"""Each picture once: groups of duplicates, of which the best stays.

# N = pairs
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.pairs.captions import captions_of, identity_of
from core.pairs.pair import Pair
from core.types import IdArray, JSONObject, JSONValue
from training.doctor.duplicates import joined_groups, like_groups
from training.doctor.groups import members, numbered
from training.doctor.kept import JudgedPair
from training.doctor.leakage import shared_pictures
from training.doctor.near import DEFAULT_NEAR
from training.doctor.scan import Scan


@dataclass(frozen=True, slots=True, kw_only=True)
class DedupRules:
    """What counts as twice the same."""

    near: int | None = DEFAULT_NEAR
    """Bits of 64 in which hashes of pictures that look alike may differ; ``None``: equal files."""
    captions: bool = False
    """Whether pairs with the same captions are duplicates too, whatever they show."""
    merge_captions: bool = False
    """Whether the pair that stays takes over the captions of those that go."""


@dataclass(frozen=True, slots=True)
class Against:
    """Pairs of another set, none of which may stay."""

    name: str
    """Path of the set, for messages."""
    pairs: Sequence[Pair]
    scan: Scan


@dataclass(frozen=True, slots=True)
class DedupResult:
    """What stays and what goes, in order of the data."""

    judged: list[JudgedPair]
    groups: list[tuple[str, list[str]]]
    """Id of each pair that stays with the ids of those that it stands for."""
    against: int
    """Pairs that went because the other set has them."""

    @property
    def kept(self) -> int:
        """Return how many pairs stay."""
        return sum(1 for one in self.judged if not one.reason)

    def to_json(self, rules: DedupRules) -> JSONObject:
        """Return the report as strict JSON."""
        groups: list[JSONValue] = [
            {"kept": kept, "dropped": list(dropped)} for kept, dropped in self.groups
        ]
        return {
            "schema_version": 1,
            "pairs": len(self.judged),
            "kept": self.kept,
            "dropped": len(self.judged) - self.kept,
            "dropped_for_the_other_set": self.against,
            "unusable": sum(1 for one in self.judged if one.reason.startswith(_UNUSABLE)),
            "rules": dict(dataclasses.asdict(rules)),
            "groups": groups,
        }


_UNUSABLE = "cannot be used: "


def dedup(
    pairs: Sequence[Pair], scan: Scan, rules: DedupRules, *, against: Against | None = None
) -> DedupResult:
    """Decide what stays: of each group the most pixels, then captions, then bytes, then the first.

    Pairs whose picture cannot be used go too, because nothing is known of them.

    Raises:
        UsageError: ``rules.near`` is out of range.
    """
    reasons = {bad.row: f"{_UNUSABLE}{bad.message}" for bad in scan.bad}
    elsewhere = _elsewhere(pairs, scan, rules, against)
    reasons |= {row: reason for row, reason in elsewhere.items() if row not in reasons}
    taken: dict[int, list[int]] = {}
    for rows in members(_groups(pairs, scan, rules)):
        open_rows = [row for row in rows.tolist() if row not in reasons]
        if len(open_rows) > 1:
            best = max(open_rows, key=lambda row: _worth(pairs, scan, row))
            taken[best] = [row for row in open_rows if row != best]
            reasons |= dict.fromkeys(taken[best], f"duplicate of {pairs[best].id}")
    judged = [
        JudgedPair(_merged(pairs, row, taken, rules), reasons.get(row, ""))
        for row in range(len(pairs))
    ]
    groups = [
        (pairs[best].id, [pairs[row].id for row in gone]) for best, gone in sorted(taken.items())
    ]
    return DedupResult(judged=judged, groups=groups, against=len(elsewhere))


def _groups(pairs: Sequence[Pair], scan: Scan, rules: DedupRules) -> IdArray:
    """Return for each pair (N,) the first row of its group."""
    groupings = [scan.same_file()]
    if rules.near is not None:
        groupings.append(like_groups(scan, near=rules.near))
    if rules.captions:
        groupings.append(
            numbered(_caption_key(pair) or str(row).encode() for row, pair in enumerate(pairs))
        )
    return joined_groups(*groupings)


def _elsewhere(
    pairs: Sequence[Pair], scan: Scan, rules: DedupRules, against: Against | None
) -> dict[int, str]:
    """Return the rows that the other set has too, with the reason."""
    if against is None:
        return {}
    near = 0 if rules.near is None else rules.near
    same_N, alike_N = shared_pictures(scan, against.scan, near=near)
    match_N = same_N if rules.near is None else np.where(same_N >= 0, same_N, alike_N)
    found = {
        row: f"the picture is {against.pairs[match_N[row]].id} of {against.name}"
        for row in np.flatnonzero(match_N >= 0).tolist()
    }
    if rules.captions:
        asked = {_caption_key(pair): pair.id for pair in reversed(against.pairs)}
        for row, pair in enumerate(pairs):
            key = _caption_key(pair)
            if key and key in asked:
                found.setdefault(row, f"the captions are those of {asked[key]} of {against.name}")
    return found


def _caption_key(pair: Pair) -> frozenset[str]:
    """Return what pairs with the same captions share; empty for a pair without any."""
    return frozenset(identity_of(text) for text in captions_of(pair))


def _worth(pairs: Sequence[Pair], scan: Scan, row: int) -> tuple[int, int, int, int]:
    pixels = int(scan.width_N[row]) * int(scan.height_N[row])
    return pixels, len(captions_of(pairs[row])), int(scan.bytes_N[row]), -row


def _merged(
    pairs: Sequence[Pair], row: int, taken: dict[int, list[int]], rules: DedupRules
) -> Pair:
    """Return the pair of a row, with the captions of those it stands for where that is asked."""
    pair = pairs[row]
    if not rules.merge_captions or row not in taken:
        return pair
    captions: dict[str, str] = {}
    for source in (row, *taken[row]):
        for text in captions_of(pairs[source]):
            captions.setdefault(identity_of(text), text)
    return dataclasses.replace(pair, captions=tuple(captions.values()))
