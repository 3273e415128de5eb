"""Training pairs from judgements: right hits with the text of their query as the caption.

The pairs are a webdataset tar, which ``core.pairs`` reads wherever it is: ``000000.jpg`` with the
captions in ``000000.txt``, one a line, and the id of the item in ``000000.json``. A query of more
than one text, with a negative term, with an item or in mode keyword says more than a caption can:
it gives no pairs.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO

from core.errors import NotFoundError
from index.export import picture_suffix
from index.judgement_files import JudgedSet
from index.media import MediaStore
from index.store import StoreReader


@dataclass(frozen=True, slots=True)
class JudgedPairs:
    """What was written."""

    pictures: int
    captions: int
    queries_without_caption: tuple[str, ...]
    """Texts of queries that say more than a caption can."""
    without_picture: tuple[str, ...]
    """Items whose picture's file is gone."""


def write_judged_pairs(
    store: StoreReader, media: MediaStore, sets: Sequence[JudgedSet], file: IO[bytes]
) -> JudgedPairs:
    """Write the right hits of all queries as one tar, in order of item id.

    Raises:
        StorageError: the database cannot be read.
        OSError: ``file`` cannot be written.
    """
    captions: dict[str, list[str]] = defaultdict(list)
    for one in sets:
        for item_id, grade in one.grades.items():
            if grade > 0 and one.query.caption is not None:
                captions[item_id].append(" ".join(one.query.caption.split()))
    items = store.items(list(captions))
    missing: list[str] = []
    written = 0
    with tarfile.open(fileobj=file, mode="w") as tar:
        for item_id in sorted(items):
            try:
                data = media.image(items[item_id])
            except NotFoundError:
                missing.append(item_id)
                continue
            key = f"{written:06d}"
            lines = list(dict.fromkeys(captions[item_id]))
            _put(tar, f"{key}{picture_suffix(data) or '.jpg'}", data)
            _put(tar, f"{key}.txt", "".join(f"{line}\n" for line in lines).encode())
            _put(tar, f"{key}.json", json.dumps({"item_id": item_id}).encode())
            written += 1
    return JudgedPairs(
        pictures=written,
        captions=sum(len(set(found)) for name, found in captions.items() if name not in missing),
        queries_without_caption=tuple(
            one.query.text
            for one in sets
            if one.query.caption is None and any(grade > 0 for grade in one.grades.values())
        ),
        without_picture=tuple(missing),
    )


def _put(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))
