"""Under which id each service knows a run, so that a resumed run goes on in the same place."""

from __future__ import annotations

from pathlib import Path

from core.artifacts import read_json, write_json
from training.logs.sink import LoggerName

TRACKED_NAME = "tracking.json"


class TrackedRuns:
    """The ids, kept in ``tracking.json`` of the run's folder."""

    def __init__(self, folder: Path, *, resumed: bool) -> None:
        """Read the ids of a run that is resumed; a new run has none, whatever lies there."""
        self._path = folder / TRACKED_NAME
        self._ids = read_json(self._path) if resumed and self._path.exists() else {}

    def find(self, service: LoggerName) -> str | None:
        """Return the id, or ``None`` where this run was not reported to the service before."""
        found = self._ids.get(service)
        return found if isinstance(found, str) else None

    def keep(self, service: LoggerName, run_id: str) -> None:
        """Remember an id from now on."""
        self._ids[service] = run_id
        write_json(self._path, self._ids)
