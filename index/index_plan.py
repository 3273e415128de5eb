"""Which kind of index holds the base of a collection, and how hard a search of it tries.

# N = rows, D = embedding dimension

Sizes and limits are those of the measurements in docs/index.md.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Literal, cast, get_args

from core.errors import UsageError
from core.types import JSONObject

Kind = Literal[
    "flat", "flat-int8", "flat-fp16", "ivf-sq8", "ivf-pq", "ivf-rabitq", "pq", "rabitq", "hnsw"
]
KINDS: tuple[Kind, ...] = get_args(Kind)
EXACT_KINDS: frozenset[Kind] = frozenset({"flat", "flat-int8", "flat-fp16"})

_PARAMETERS = ("lists", "probes", "depth")
DEFAULT_DEPTH = 1024
TRUSTED = 4
"""The best quarter of what was re-ranked is the answer; below it the search goes on exactly."""
_FLAT_BELOW = 10_000
_INT8_BELOW = 300_000
_SQ8_BELOW = 5_000_000
_FEWEST_TRAINING_POINTS = 39
_HNSW_LINKS = 16
_LEAST_PROBES = 16
_PROBED_SHARE = 16
_DIMS_OF_A_CODE = 4


@dataclass(frozen=True, slots=True)
class IndexPlan:
    """One kind of index with its parameters."""

    kind: Kind = "flat"
    lists: int = 0
    """Inverted lists (kinds ``ivf-``)."""
    probes: int = 0
    """Lists that a search looks into; a filter multiplies it."""
    depth: int = 0
    """Candidates of the approximate part that are scored again exactly; for ``hnsw`` also ef."""

    def __post_init__(self) -> None:
        """Refuse what is no plan.

        Raises:
            UsageError: an unknown kind, or parameters out of range.
        """
        if self.kind not in KINDS:
            raise UsageError(f"index kind {self.kind!r} is unknown; one of {', '.join(KINDS)}")
        if self.has_lists and not 1 <= self.probes <= self.lists:
            raise UsageError(f"probes is {self.probes}; {self.kind} takes 1 to lists={self.lists}")
        if not self.exact and self.depth < 4 * TRUSTED:
            raise UsageError(f"depth is {self.depth}; {self.kind} takes {4 * TRUSTED} or more")

    @property
    def exact(self) -> bool:
        """Whether searches find all that brute force finds."""
        return self.kind in EXACT_KINDS

    @property
    def has_lists(self) -> bool:
        """Whether rows are in inverted lists, of which a search visits some."""
        return self.kind.startswith("ivf-")

    @property
    def takes_selector(self) -> bool:
        """Whether FAISS can limit a search of this kind to some rows (section 4 of its notes)."""
        return self.kind not in {"pq", "rabitq"}

    def describe(self) -> str:
        """Return the name that a search reports."""
        if self.exact:
            return "exact"
        probed = f" nprobe={self.probes}" if self.has_lists else ""
        return f"{self.kind}{probed}, re-ranked"

    def as_json(self) -> JSONObject:
        """Return the plan as it is stored."""
        return asdict(self)


def plan_of_json(value: JSONObject) -> IndexPlan:
    """Return a stored plan.

    Raises:
        UsageError: it is none.
    """
    kind, numbers = value.get("kind"), [value.get(name, 0) for name in _PARAMETERS]
    if kind not in KINDS or not all(isinstance(number, int) for number in numbers):
        raise UsageError(f"{value!r} is no index plan; its kind is one of {', '.join(KINDS)}")
    return IndexPlan(kind, *cast("list[int]", numbers))


def make_plan(kind: Kind, count: int, *, probes: int = 0, depth: int = 0) -> IndexPlan:
    """Return a plan of a kind for ``count`` rows; 0 takes the default of the kind."""
    if kind in EXACT_KINDS:
        return IndexPlan(kind)
    lists = lists_for(count) if kind.startswith("ivf-") else 0
    wanted = probes or max(_LEAST_PROBES, lists // _PROBED_SHARE)
    return IndexPlan(kind, lists, min(wanted, lists), depth or DEFAULT_DEPTH)


def choose(
    count: int, dim: int, *, memory_mb: int | None = None, target: float = 0.95
) -> IndexPlan:
    """Return the plan for ``count`` rows of D = ``dim`` that nobody has tuned.

    Args:
        count: N.
        dim: D.
        memory_mb: that the searched part may hold resident; ``None`` is no limit.
        target: wanted ann_recall; above 0.999 only exact kinds are chosen while memory allows.
    """
    if count < _FLAT_BELOW:
        wanted: Kind = "flat"
    elif count < _INT8_BELOW or target > 0.999:  # noqa: PLR2004 - said in the docstring
        wanted = "flat-int8"
    else:
        wanted = "ivf-sq8" if count < _SQ8_BELOW else "ivf-rabitq"
    smaller: list[Kind] = ["flat", "flat-int8", "ivf-sq8", "ivf-rabitq"]
    for kind in smaller[smaller.index(wanted) :]:
        if memory_mb is None or resident_bytes(kind, count, dim) <= memory_mb * 2**20:
            return trainable(make_plan(kind, count), count, dim)
    return trainable(make_plan("ivf-rabitq", count), count, dim)


def trainable(plan: IndexPlan, count: int, dim: int) -> IndexPlan:
    """Return ``plan``, or ``flat`` where the rows are too few (or D does not fit) to build it."""
    needed = {"flat": 0, "flat-int8": 0, "flat-fp16": 0, "pq": 16, "ivf-pq": 16}.get(plan.kind, 1)
    too_few = count < _FEWEST_TRAINING_POINTS * max(plan.lists, needed)
    misfit = plan.kind in {"pq", "ivf-pq"} and dim % _DIMS_OF_A_CODE
    return IndexPlan() if too_few or misfit else plan


def lists_for(count: int) -> int:
    """Return the number of inverted lists: the power of two nearest to 2 * sqrt(N), 16 or more."""
    return int(2 ** max(4, round(math.log2(2 * math.sqrt(max(count, 1))))))


def factory_string(plan: IndexPlan, dim: int) -> str:
    """Return what ``faiss.index_factory`` is given for the approximate part."""
    codes = {
        "flat-fp16": "SQfp16",
        "ivf-sq8": "SQ8",
        "ivf-pq": f"PQ{dim // _DIMS_OF_A_CODE}x4fs",
        "pq": f"PQ{dim // _DIMS_OF_A_CODE}x4fs",
        "ivf-rabitq": "RaBitQfs",
        "rabitq": "RaBitQfs",
        "hnsw": f"HNSW{_HNSW_LINKS},SQfp16",
    }[plan.kind]
    return f"IVF{plan.lists},{codes}" if plan.has_lists else codes


def resident_bytes(kind: Kind, count: int, dim: int) -> int:
    """Return the bytes that searches touch, without the vectors for re-ranking."""
    row = {
        "flat": 4 * dim,
        "flat-int8": dim,
        "flat-fp16": 2 * dim,
        "ivf-sq8": dim + 8,
        "ivf-pq": dim // 8 + 8,
        "pq": dim // 8,
        "ivf-rabitq": dim // 8 + 16,
        "rabitq": dim // 8 + 8,
        "hnsw": 2 * dim + 8 * _HNSW_LINKS + 16,
    }[kind]
    lists = lists_for(count) * dim * 4 if kind.startswith("ivf-") else 0
    return count * row + lists
