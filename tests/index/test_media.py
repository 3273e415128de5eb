"""Rules of pictures beside a collection: what is not whole is not served."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from index.items import Item
from index.media import MediaStore
from index.thumbnails import thumbnail_bytes

DIGEST = "ab" * 32
ITEM = Item("picture", "", {}, DIGEST, None)


@pytest.mark.parametrize("left", [b"", bytes(500)])
def test_a_thumbnail_that_lost_its_bytes_is_made_again(tmp_path: Path, left: bytes) -> None:
    """Thumbnails are not synced: a power loss may leave an empty file, or zeros."""
    media, whole = MediaStore(tmp_path), thumbnail_bytes(Image.new("RGB", (400, 300), "red"))
    media.keep_thumbnail(DIGEST, whole)
    assert media.thumbnail(ITEM) == whole
    (path,) = (tmp_path / "thumbnails").rglob("*.jpg")
    path.write_bytes(left)

    assert media.thumbnail(ITEM) is None
    media.keep_thumbnail(DIGEST, whole)
    assert media.thumbnail(ITEM) == whole
