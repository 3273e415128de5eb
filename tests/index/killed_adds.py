"""Adding that is killed with SIGKILL again and again, for test_ingest_crash.py.

The process forks a child for each attempt, so that everything is imported once. A child tells of
each file that was acknowledged and, in a log, of each picture that was embedded; it is killed
after so many files, or kills itself inside the model or right behind it.
"""

from __future__ import annotations

import os
import random
import signal
import sys
from contextlib import closing
from pathlib import Path

from core.types import FloatArray, PixelArray
from index.filter_sql import EVERYTHING
from index.gallery import Gallery
from index.ingest import BATCHES_IN_FLIGHT, FILES_OF_A_BATCH, ImageFile, add_files
from index.store import StoreReader
from tests.fakes import FakeEncoder, picture_bytes

PICTURES = 960
"""More than all the killed turns together can store, a batch each and another in flight."""
KILLS = 12
IN_FLIGHT = BATCHES_IN_FLIGHT * FILES_OF_A_BATCH
NEVER = 10**6


class LoggingEncoder(FakeEncoder):
    """Writes the first colour value pair of each picture to a log; dies at a call."""

    def __init__(self, log: int, *, dies_at_call: int, after: bool) -> None:
        """Log to a file descriptor."""
        super().__init__()
        self._log, self._dies_at_call, self._after = log, dies_at_call, after

    def encode_images(self, pixels_NSS3: PixelArray) -> FloatArray:
        """Log, embed, and die if it is time."""
        dies = self.image_calls == self._dies_at_call
        if dies and not self._after:
            os.kill(os.getpid(), signal.SIGKILL)
        for pixels in pixels_NSS3:
            red, green = pixels[0, 0, :2].tolist()
            os.write(self._log, f"{red * 256 + green}\n".encode())
        if dies:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().encode_images(pixels_NSS3)


def write_pictures(folder: Path) -> list[ImageFile]:
    """Write pictures that are told apart by two colour values."""
    files = []
    for number in range(PICTURES):
        path = folder / f"{number:03}.png"
        path.write_bytes(picture_bytes((number // 256, number % 256, 7), size=(8, 8)))
        files.append(ImageFile(path, id=str(number)))
    return files


def stored(gallery: Path) -> set[int]:
    """Return the numbers of the pictures that the gallery holds."""
    if not (gallery / "collection.sqlite3").exists():
        return set()
    with closing(StoreReader(gallery)) as store:
        return {int(item.id) for item in store.page(EVERYTHING, after="", limit=PICTURES)}


def attempt(
    files: list[ImageFile], gallery: Path, encoder: LoggingEncoder, *, acknowledged: int
) -> tuple[bool, set[int]]:
    """Add in a child, in step with it; return whether it lived, and what it acknowledged."""
    says, say = os.pipe()
    hears, answer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(says)
        with Gallery.open(gallery, encoder) as opened:
            for number, _ in enumerate(add_files(opened, files)):
                os.write(say, number.to_bytes(2, "big"))
                os.read(hears, 1)
        os._exit(0)
    os.close(say)
    numbers: list[int] = []
    while data := os.read(says, 2):
        numbers.append(int.from_bytes(data, "big"))
        if len(numbers) == acknowledged:
            os.kill(child, signal.SIGKILL)
        os.write(answer, b"+")
    for end in (says, hears, answer):
        os.close(end)
    _, status = os.waitpid(child, 0)
    return status == 0, set(numbers)


def main(folder: Path) -> None:
    """Kill, check, go on; then finish and check that nothing was embedded twice."""
    (folder / "photos").mkdir()
    files = write_pictures(folder / "photos")
    gallery, log = folder / "gallery", folder / "log"
    rng = random.Random(0)
    for turn in range(KILLS + 1):
        before = stored(gallery)
        last, in_model = turn == KILLS, turn % 3 == 0
        out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        dies_at_call = NEVER if last or not in_model else rng.randrange(2)
        encoder = LoggingEncoder(out, dies_at_call=dies_at_call, after=turn % 2 == 0)
        files_more = NEVER if last or in_model else rng.randrange(1, 50)
        lived, acknowledged = attempt(
            files, gallery, encoder, acknowledged=len(before) + files_more
        )
        os.close(out)
        after = stored(gallery)
        embedded = [int(line) for line in log.read_text().splitlines()]
        assert lived == last, f"turn {turn} ended by itself"
        assert acknowledged <= after, "an acknowledged picture is lost"
        assert before <= after, "a stored picture is lost"
        assert not before & set(embedded), "a stored picture was embedded again"
        assert len(embedded) - len(after - before) <= IN_FLIGHT, "more was lost than is in flight"
        sys.stdout.write(f"turn {turn}: {len(before)} to {len(after)}, {len(embedded)} embedded\n")
    assert after == set(range(PICTURES))
    sys.stdout.write("done\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
