"""A server that kills itself with SIGKILL when its first write is committed, before it answers.

    python -m tests.service.dying_server FOLDER

prints its address, then serves the gallery in FOLDER.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

from index.faults import watching
from tests.service.running import running


def main(folder: Path) -> None:
    """Serve until the first write."""

    def die(point: str) -> None:
        if point == "commit:done":
            os.kill(os.getpid(), signal.SIGKILL)

    with running(folder) as client, watching(die):
        print(client.base_url, flush=True)  # noqa: T201 - the parent reads it
        # The parent ends this process if nothing else does.
        threading.Event().wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
