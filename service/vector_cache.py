"""A bounded memory of embeddings in which nothing is computed twice at the same time.

A key holds all that decides the vector: the encoder id and the text as the tokenizer reads it, or
the encoder id and the digest of an image file (the encoder id covers the preprocessing). The first
to ask for a missing key computes it, others wait for that one. A computation that fails leaves
nothing behind: those who waited for it compute for themselves, because the failure (a deadline, a
client that went away, a full queue) need not be theirs.

# D = embedding dimension
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from core.errors import SightlineError
from core.types import FloatArray
from service.latch import Latch
from service.request_scope import CURRENT_SCOPE, Priority

Key = tuple[str, str | bytes]
"""Encoder id, and what is embedded."""

Outcome = FloatArray | SightlineError
"""A (D,) embedding, or why there is none."""


@dataclass(eq=False, slots=True)
class _Flight:
    """A computation that somebody has begun."""

    priority: Priority
    landed: Latch = field(default_factory=Latch)
    vector_D: FloatArray | None = None

    def land(self, vector_D: FloatArray | None) -> None:
        """Wake those who wait, with the vector or with nothing."""
        self.vector_D = vector_D
        self.landed.open()


class VectorCache:
    """The most recently used embeddings; safe to use from any thread."""

    def __init__(self, entries: int) -> None:
        """Keep at most ``entries`` vectors; 0 keeps none, and still shares what is computed."""
        self._entries = entries
        self._vectors: OrderedDict[Key, FloatArray] = OrderedDict()
        self._flights: dict[Key, _Flight] = {}
        self._lock = threading.Lock()
        self.hits = 0
        """Keys that were kept, or being computed by another request."""
        self.misses = 0
        """Keys that had to be computed."""
        self.evictions = 0
        """Vectors dropped to make room."""

    def __len__(self) -> int:
        return len(self._vectors)

    def fetch(
        self,
        keys: Sequence[Key],
        compute: Callable[[list[int]], Sequence[Outcome]],
        *,
        at_once: int,
    ) -> list[Outcome]:
        """Return the outcome of each key, from memory where it is kept.

        Args:
            keys: may repeat; a repeated key is computed once.
            compute: called with places in ``keys``, returns their outcomes in order. Errors are
                handed on and not kept.
            at_once: most places of one call, so that others wait for no more than that.

        Raises:
            DeadlineError: the request's time ended while another one computed.
            SightlineError: what ``compute`` raises.
        """
        places = _first_places(keys)
        found: dict[Key, Outcome] = {}
        others: dict[Key, _Flight] = {}
        asked = iter(places)
        while own := self._claim(asked, found, others, at_once=at_once):
            found |= self._lead(own, lambda own: compute([places[key] for key in own]))
        alone = []
        for key, flight in others.items():
            vector_D = _landed(flight)
            if vector_D is None:
                alone.append(key)
            else:
                found[key] = vector_D
        for start in range(0, len(alone), at_once):
            some = alone[start : start + at_once]
            found |= self._keep(some, compute([places[key] for key in some]))
        return [found[key] for key in keys]

    async def fetch_async(
        self, keys: Sequence[Key], compute: Callable[[list[int]], Awaitable[Sequence[Outcome]]]
    ) -> list[Outcome]:
        """Return the outcome of each key as :meth:`fetch` does, for a task of the event loop.

        For few keys, which are computed in one call. Nothing blocks, and the task may be cancelled
        at any time.

        Raises:
            SightlineError: what ``compute`` raises.
        """
        places = _first_places(keys)
        found: dict[Key, Outcome] = {}
        others: dict[Key, _Flight] = {}
        own = self._claim(iter(places), found, others, at_once=len(places) + 1)
        if own:
            outcomes: dict[Key, Outcome] = {}
            try:
                computed = await compute([places[key] for key in own])
                outcomes = self._keep([*own], computed)
            finally:
                self._land(own, outcomes)
            found |= outcomes
        for key, flight in others.items():
            await flight.landed.opened()
            if flight.vector_D is not None:
                found[key] = flight.vector_D
        if alone := [key for key in others if key not in found]:
            found |= self._keep(alone, await compute([places[key] for key in alone]))
        return [found[key] for key in keys]

    def _claim(
        self,
        asked: Iterator[Key],
        found: dict[Key, Outcome],
        others: dict[Key, _Flight],
        *,
        at_once: int,
    ) -> dict[Key, _Flight]:
        """Walk on through the keys and return the next that are ours to compute."""
        scope = CURRENT_SCOPE.get()
        priority = Priority.SEARCH if scope is None else scope.priority
        own: dict[Key, _Flight] = {}
        with self._lock:
            for key in asked:
                vector_D = self._vectors.get(key)
                if vector_D is not None:
                    self._vectors.move_to_end(key)
                    found[key] = vector_D
                    self.hits += 1
                    continue
                flight = self._flights.get(key)
                # Who is more urgent than the one at it would wait in the wrong line.
                if flight is not None and flight.priority <= priority:
                    others[key] = flight
                    self.hits += 1
                    continue
                self._flights[key] = own[key] = _Flight(priority)
                self.misses += 1
                if len(own) == at_once:
                    break
        return own

    def _lead(
        self, own: dict[Key, _Flight], compute: Callable[[list[Key]], Sequence[Outcome]]
    ) -> dict[Key, Outcome]:
        """Compute for ourselves and for whoever waits; however it ends, nobody is left waiting."""
        outcomes: dict[Key, Outcome] = {}
        try:
            outcomes = self._keep(list(own), compute(list(own)))
        finally:
            self._land(own, outcomes)
        return outcomes

    def _land(self, own: dict[Key, _Flight], outcomes: dict[Key, Outcome]) -> None:
        """End what we computed for others too; they go on, with the vector or by themselves."""
        with self._lock:
            for key, flight in own.items():
                if self._flights.get(key) is flight:
                    del self._flights[key]
        for key, flight in own.items():
            outcome = outcomes.get(key)
            flight.land(None if isinstance(outcome, SightlineError) else outcome)

    def _keep(self, keys: Sequence[Key], outcomes: Sequence[Outcome]) -> dict[Key, Outcome]:
        """Remember the good outcomes, drop the least recently used, and return all by key."""
        kept = dict(zip(keys, map(_own_copy, outcomes), strict=True))
        with self._lock:
            for key, outcome in kept.items():
                if not isinstance(outcome, SightlineError):
                    self._vectors[key] = outcome
                    self._vectors.move_to_end(key)
            while len(self._vectors) > self._entries:
                self._vectors.popitem(last=False)
                self.evictions += 1
        return kept


def _first_places(keys: Sequence[Key]) -> dict[Key, int]:
    """Return each key once, with the place where it stands first."""
    places: dict[Key, int] = {}
    for place, key in enumerate(keys):
        places.setdefault(key, place)
    return places


def _own_copy(outcome: Outcome) -> Outcome:
    """Return a read-only copy of a vector: a row of a batch would keep the whole batch alive."""
    if isinstance(outcome, SightlineError):
        return outcome
    # Through bytes, which nobody can write to; an array's own copy lets other threads in between.
    return np.frombuffer(outcome.tobytes(), outcome.dtype)


def _landed(flight: _Flight) -> FloatArray | None:
    """Wait for another request's computation; ``None`` where it failed."""
    scope = CURRENT_SCOPE.get()
    if not flight.landed.wait(None if scope is None else scope.remaining_s()):
        assert scope is not None
        scope.check()
    return flight.vector_D
