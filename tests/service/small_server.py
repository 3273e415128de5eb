"""Whole servers in processes of their own, over a fake encoder: for signals and kills.

Importing a server takes longer than starting it, so one process imports and then forks each server
that a test asks for; it has no threads of its own.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.types import FloatArray, PixelArray
from tests.fakes import FakeEncoder

ROOT = Path(__file__).parent.parent.parent
_ENDED = "ended"


class PacedEncoder(FakeEncoder):
    """Takes a fixed time for each image, so that its capacity is known."""

    def __init__(self, image_s: float) -> None:
        """Take ``image_s`` seconds an image."""
        super().__init__()
        self._image_s = image_s

    def encode_images(self, pixels_NSS3: PixelArray) -> FloatArray:
        """Wait, then embed."""
        time.sleep(self._image_s * len(pixels_NSS3))
        return super().encode_images(pixels_NSS3)


class Servers:
    """Starts one server after another."""

    def __init__(self, starter: subprocess.Popen[str]) -> None:
        """Ask ``starter`` for servers."""
        self._starter = starter
        self._pid = 0

    @property
    def pid(self) -> int:
        """The process of the running server."""
        return self._pid

    def start(self, folder: Path, *, image_s: float = 0.0, **settings: object) -> str:
        """Start a server over the gallery in ``folder`` and return its address once it is ready."""
        asked = {"folder": str(folder), "image_s": image_s, "settings": settings}
        assert self._starter.stdin is not None
        self._starter.stdin.write(json.dumps(asked) + "\n")
        self._starter.stdin.flush()
        first, address = self._line()
        assert first != _ENDED, f"the server did not start, status {address}"
        self._pid = int(first)
        return address

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the running server."""
        os.kill(self._pid, number)

    def wait(self) -> int:
        """Wait for the end of the server and return its exit code; negative for a signal."""
        first, status = self._line()
        assert first == _ENDED
        self._pid = 0
        return int(status)

    def kill(self) -> None:
        """End the server at once, if one runs."""
        if self._pid:
            self.signal(signal.SIGKILL)
            self.wait()

    def _line(self) -> tuple[str, str]:
        assert self._starter.stdout is not None
        first, _, rest = self._starter.stdout.readline().strip().partition(" ")
        return first, rest


@contextmanager
def servers() -> Iterator[Servers]:
    """Yield a starter of servers; what still runs at the end is killed."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.service.small_server"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as starter:
        found = Servers(starter)
        try:
            yield found
        finally:
            found.kill()
            starter.kill()


def main() -> None:
    """Fork a server for each line of the input, one at a time."""
    # Imported before the first fork, so that no server has to.
    import service.server
    import tests.service.running

    assert service.server
    assert tests.service.running
    for line in iter(sys.stdin.readline, ""):
        asked = json.loads(line)
        pid = os.fork()
        if not pid:
            _serve(Path(asked["folder"]), asked["settings"], asked["image_s"])
            os._exit(0)
        _say(f"{_ENDED} {os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}")


def _serve(folder: Path, settings: dict[str, object], image_s: float) -> None:
    from service.server import run_server
    from tests.service.running import settings_for

    run_server(
        settings_for(folder, port=0, **settings),
        on_ready=lambda address: _say(f"{os.getpid()} {address}"),
        encoder=PacedEncoder(image_s),
    )


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
