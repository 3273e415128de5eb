"""One of several processes that serve a gallery behind one port.

    python -m service.serving_process

is what its parent, ``service.process_group``, starts: it reads a ``Task`` as a line of JSON, writes
a line of JSON once it answers (or cannot), and drains when it gets SIGTERM or its parent is gone.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from dataclasses import dataclass

from core.config import from_mapping
from core.errors import SightlineError, UsageError
from core.log import configure_logging, log_everything
from core.types import JSONObject
from service.settings import Settings, as_json


@dataclass(frozen=True, slots=True)
class Task:
    """What one process is to do."""

    settings: Settings
    """Those of the service; ``port`` is the shared one."""
    own_port: int
    """The port that this process alone listens on, beside the shared one; 0 takes a free one."""
    session_secret: bytes
    """Signs the cookies of the page: every process has to know those of the others."""

    def line(self) -> str:
        """Return it as a line of JSON."""
        # A list or a text fits any setting, but not nothing: what is unset is left out.
        settings: JSONObject = {
            key: value for key, value in as_json(self.settings).items() if value is not None
        }
        told: JSONObject = {
            "settings": settings,
            "own_port": self.own_port,
            "session_secret": self.session_secret.hex(),
        }
        return json.dumps(told) + "\n"


def read_task(line: str) -> Task:
    """Return the task of a line."""
    told = json.loads(line)
    return Task(
        settings=from_mapping(Settings, told["settings"], where="the parent process"),
        own_port=told["own_port"],
        session_secret=bytes.fromhex(told["session_secret"]),
    )


def main() -> int:
    """Serve until SIGTERM."""
    task = read_task(sys.stdin.readline())
    settings = task.settings
    configure_logging(log_format=settings.log_format, level=settings.log_level)
    if settings.log_format == "json":
        log_everything()
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    from service.server import ProcessPart, run_server

    try:
        run_server(
            settings,
            on_ready=lambda address: _say({"ready": address}),
            part=ProcessPart(own_port=task.own_port, session_secret=task.session_secret),
        )
    except SightlineError as error:
        _say({"refused": str(error), "usage": isinstance(error, UsageError)})
        return 1
    return 0


def _end_with_parent() -> None:
    """Drain when the parent has gone away, however it ended: its end of the pipe closes."""
    while sys.stdin.read(1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _say(told: JSONObject) -> None:
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
