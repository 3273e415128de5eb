"""Mending what an examination found: from the record, the kept bytes and the source files."""

from __future__ import annotations

import json
import logging
import sqlite3
from pathlib import Path

from core.errors import NotFoundError
from encoders.encoder import Encoder
from index.adding import NewImage
from index.changes import Outcome, index_text
from index.checkup import Checkup
from index.compaction import rebuild_index
from index.fields import RebuildField
from index.gallery import Gallery
from index.items import Status

logger = logging.getLogger(__name__)


def mend(folder: Path, encoder: Encoder, checkup: Checkup) -> None:
    """Mend what can be mended; examine again to see what is left.

    Damaged vectors are made again from the picture where it is still there, and stay quarantined
    where it is not. Vectors without an item and files without an item are deleted; the keyword
    index, field indexes and the vector index are filled anew.

    Raises:
        EncoderMismatchError: the gallery holds vectors of another encoder.
        ConflictError: another process is writing the gallery.
        StorageError: it cannot be written.
    """
    if checkup.names("index_differs") or checkup.names("snapshot_damaged"):
        rebuild_index(folder)
    with Gallery.open(folder, encoder) as gallery:
        collection = gallery.collection
        if checkup.names("vector_orphan"):
            collection.write(_drop_orphans)
        for name in checkup.names("vector_damaged"):
            _embed_again(gallery, name)
        if checkup.names("words_differ"):
            collection.write(_rebuild_words)
        for name in checkup.names("field_differs"):
            collection.write(RebuildField(name))
        if checkup.names("file_orphan"):
            gallery.drop_strays()


def _embed_again(gallery: Gallery, name: str) -> None:
    try:
        item, data = gallery.item(name), gallery.image(name)
    except NotFoundError as error:
        logger.warning("vector stays damaged", extra={"item": name, "reason": str(error)})
        return
    (result,) = gallery.add([NewImage(data, id=name, source=item.source)])
    if result.status is Status.ERROR:
        logger.warning("vector stays damaged", extra={"item": name, "reason": str(result.error)})


def _drop_orphans(connection: sqlite3.Connection) -> Outcome[None]:
    connection.execute("DELETE FROM vectors WHERE row_id NOT IN (SELECT row_id FROM items)")
    return Outcome(None)


def _rebuild_words(connection: sqlite3.Connection) -> Outcome[None]:
    connection.execute("DELETE FROM texts")
    rows = connection.execute("SELECT row_id, id, caption, metadata, source FROM items")
    for row_id, name, caption, metadata, source in rows.fetchall():
        index_text(
            connection,
            row_id,
            id=name,
            caption=caption,
            metadata=json.loads(metadata),
            source=source,
        )
    return Outcome(None)
