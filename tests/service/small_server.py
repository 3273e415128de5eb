"""A whole server in a process of its own, over a fake encoder: for signals and kills.

python -m tests.service.small_server FOLDER '{"max_cost": 8}' SECONDS_OF_AN_IMAGE
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.types import FloatArray, PixelArray
from tests.fakes import FakeEncoder

ROOT = Path(__file__).parent.parent.parent


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


@contextmanager
def server_process(
    folder: Path, *, image_s: float = 0.0, **settings: object
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run a server, wait until it is ready and yield it with its address."""
    command = [sys.executable, "-m", "tests.service.small_server", str(folder)]
    with subprocess.Popen(
        [*command, json.dumps(settings), str(image_s)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def main(folder: Path, settings: dict[str, object], image_s: float) -> None:
    """Serve until a signal; print the address first and ``closed`` last."""
    from service.server import run_server
    from tests.service.running import settings_for

    run_server(
        settings_for(folder, port=0, **settings),
        on_ready=_say,
        encoder=PacedEncoder(image_s),
    )
    _say("closed")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]), float(sys.argv[3]))
