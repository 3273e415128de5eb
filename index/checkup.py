"""What an examination of a gallery found: figures, checks, and the faults by their kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from index.disk_use import DiskUse

FaultKind = Literal[
    "database",
    "vector_damaged",
    "vector_orphan",
    "metadata_broken",
    "words_differ",
    "field_differs",
    "encoder_differs",
    "vector_stale",
    "picture_gone",
    "file_orphan",
    "index_differs",
    "snapshot_damaged",
]


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault, with everything that has it."""

    kind: FaultKind
    text: str
    """What is wrong, in a few words."""
    names: tuple[str, ...]
    """Ids of items, or names of files or fields."""
    remedy: str
    """What mends it: ``--fix``, or what else."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    summary: str
    """What was compared, with its figures."""
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True)
class Coverage:
    """What became of every file that was ever seen."""

    seen: int
    """Pictures that were added or failed."""
    embedded: int
    """Items with a whole vector: these can be found."""
    failed: dict[str, int]
    """Files that could not be added, by the code of their error."""


@dataclass(frozen=True, slots=True)
class Checkup:
    """The whole examination."""

    items: int
    coverage: Coverage
    disk: DiskUse
    checks: tuple[Check, ...]

    @property
    def faults(self) -> tuple[Fault, ...]:
        """Every fault of every check."""
        return tuple(fault for check in self.checks for fault in check.faults)

    def names(self, kind: FaultKind) -> tuple[str, ...]:
        """Return what has faults of this kind."""
        return tuple(name for fault in self.faults if fault.kind == kind for name in fault.names)
