"""A process that adds to a gallery and deletes from it until it is killed."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
WRITER = """
import sys
from pathlib import Path
from index.adding import NewImage
from index.gallery import Gallery
from tests.fakes import FakeEncoder, picture_bytes

gallery = Gallery.open(Path(sys.argv[1]), FakeEncoder())
for n in range(100_000):
    colour = (n % 256, n // 256 % 256, n // 65536)
    gallery.add([NewImage(picture_bytes(colour, size=(4, 4)), id=f"n{n}")])
    print("added", n, flush=True)
    if n % 3 == 0:
        gallery.delete([f"n{n // 2}"])
"""
"""Takes the folder; says ``added N`` on stdout when item ``nN`` is acknowledged."""
