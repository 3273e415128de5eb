"""The index plan of a collection and the measurements it was chosen by, in its database."""

from __future__ import annotations

import json
import math
import sqlite3
from dataclasses import dataclass, replace

from core.artifacts import canonical_json
from core.types import JSONObject
from index.changes import Outcome
from index.index_plan import IndexPlan, choose, lists_for, plan_of_json
from index.store import StoreReader

_PLAN = "index_plan"
_TUNING = "index_tuning"
_MOST_GROWTH = 4


@dataclass(frozen=True, slots=True)
class StorePlan:
    """Put a plan on record; the next merge follows it. ``None`` leaves the choice to the size."""

    plan: IndexPlan | None
    tuning: JSONObject | None = None
    """The measured table; ``None`` keeps the one that is stored."""
    rows: int = 0
    """For how many rows it was measured: past four times as many the size decides again; 0 for a
    plan that somebody asked for, which always holds."""

    def __call__(self, connection: sqlite3.Connection) -> Outcome[None]:
        """Execute it."""
        if self.plan is None:
            connection.execute("DELETE FROM state WHERE key = ?", (_PLAN,))
        else:
            _put(connection, _PLAN, {**self.plan.as_json(), "rows": self.rows})
        if self.tuning is not None:
            _put(connection, _TUNING, self.tuning)
        return Outcome(None)


def stored_plan(store: StoreReader) -> IndexPlan | None:
    """Return the plan on record, ``None`` where the size decides.

    Raises:
        UsageError: the database holds something else.
    """
    found = _stored(store)
    return None if found is None else plan_of_json(found)


def stored_tuning(store: StoreReader) -> JSONObject | None:
    """Return the newest measurements, ``None`` where the index was never tuned."""
    text = store.state().get(_TUNING)
    if text is None:
        return None
    found: JSONObject = json.loads(text)
    return found


def plan_for(store: StoreReader, count: int, *, dim: int) -> IndexPlan:
    """Return what a base of ``count`` rows is to be: the plan on record, else by the size."""
    found = _stored(store)
    if found is None or _is_outgrown(found.get("rows"), count):
        return choose(count, dim)
    return rescaled(plan_of_json(found), count)


def rescaled(plan: IndexPlan, count: int) -> IndexPlan:
    """Return a plan with the lists that ``count`` rows want, the same share of them probed."""
    lists = lists_for(count)
    if not plan.has_lists or lists == plan.lists:
        return plan
    return replace(plan, lists=lists, probes=math.ceil(plan.probes * lists / plan.lists))


def _stored(store: StoreReader) -> JSONObject | None:
    text = store.state().get(_PLAN)
    if text is None:
        return None
    found: JSONObject = json.loads(text)
    return found


def _is_outgrown(rows: object, count: int) -> bool:
    return isinstance(rows, int) and 0 < rows < count / _MOST_GROWTH


def _put(connection: sqlite3.Connection, key: str, value: JSONObject) -> None:
    text = canonical_json(value).decode()
    connection.execute("INSERT OR REPLACE INTO state VALUES (?, ?)", (key, text))
