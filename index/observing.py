"""What the threads of a collection report of their work: commits and merges."""

from __future__ import annotations

from typing import Protocol


class IndexObserver(Protocol):
    """Told of commits on the writer's thread and of merges on the merger's; must be quick."""

    def committed(self, *, changes: int, took_s: float) -> None:
        """Note a transaction of ``changes`` changes that is durable and searchable."""
        ...

    def write_failed(self) -> None:
        """Note a change that the disk or the database refused; what it asked is not stored."""
        ...

    def merged(self, *, took_s: float) -> None:
        """Note a new base."""
        ...

    def merge_failed(self) -> None:
        """Note a merge that came to nothing; the present base goes on."""
        ...


class Unobserved:
    """Nobody wants to know."""

    def committed(self, *, changes: int, took_s: float) -> None:
        """Do nothing."""

    def write_failed(self) -> None:
        """Do nothing."""

    def merged(self, *, took_s: float) -> None:
        """Do nothing."""

    def merge_failed(self) -> None:
        """Do nothing."""
