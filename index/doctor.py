"""Examining a gallery: is everything there, whole, in step, and found where it should be?

# N = rows, Q = sampled rows, K = hits, D = embedding dimension

Nothing is changed, and one state of the database is looked at throughout, so a gallery may be
examined while a server writes it. What is found can be mended by ``index.mending``.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from core.artifacts import sha256_file
from core.errors import ImageError, NotFoundError
from core.types import FloatArray, IdArray
from encoders.embedding import encode_image_bytes
from encoders.encoder import Encoder
from index.checkup import Check, Checkup, Coverage, Fault, FaultKind
from index.collection import Collection
from index.disk_use import measure_disk
from index.failures import recorded_failures
from index.fields import drifted_fields
from index.media import MediaStore
from index.snapshots import recorded_files, snapshot_folder
from index.store import StoreReader

_SAMPLED_SEARCHES = 16
_SAMPLED_PICTURES = 8
_K = 10
_LEAST_OVERLAP = 0.9
"""Share of the true top 10 below which an approximate index counts as drifted."""
_SAME_SCORE = 1e-5
_SAME_COSINE = 0.99
"""Two runtimes of one model differ by less; another model or preprocessing by far more."""
_ARRIVING_S = 600.0
"""A picture is kept before its item is stored: a younger file of no item is no fault yet."""
_FIX = "--fix"


def examine(collection: Collection, *, encoder: Encoder | None = None) -> Checkup:
    """Look at everything of a gallery.

    Args:
        collection: opened from the gallery's folder, for reading or writing.
        encoder: the model that the gallery names; without one it is not checked.

    Raises:
        StorageError: the database cannot be read at all.
    """
    store = collection.store
    media = MediaStore(collection.folder)
    with store.frozen():
        scan = _scan(collection)
        checks = [
            _check_database(store),
            _check_vectors(store, scan),
            _check_words_and_fields(store),
            _check_index(collection, scan),
        ]
        if encoder is not None:
            checks.insert(2, _check_model(collection, media, encoder))
        failures = Counter(failure.code for failure in recorded_failures(store))
        items = store.count()
        coverage = Coverage(
            seen=items + failures.total(),
            embedded=items - len(scan.damaged),
            failed=dict(failures.most_common()),
        )
    # Files come and go beside the database: these two look at its present state again.
    checks += [_check_pictures(store, media), _check_snapshots(collection.folder, store)]
    return Checkup(items, coverage, measure_disk(collection.folder, store), tuple(checks))


@dataclass(slots=True)
class _Scan:
    """One pass over all vectors."""

    sample_QD: FloatArray
    scores_QK: FloatArray
    """The best scores that exist for each sampled vector, descending."""
    row_ids: list[IdArray] = field(default_factory=list)
    damaged: dict[int, str] = field(default_factory=dict)


def _scan(collection: Collection) -> _Scan:
    store, dim = collection.store, collection.binding.dim
    row_ids_N = store.row_ids()
    blocks = store.vectors(_spread(row_ids_N, _SAMPLED_SEARCHES), dim=dim)
    sample_QD = np.concatenate([np.empty((0, dim), np.float32), *(b.vectors_ND for b in blocks)])
    scan = _Scan(sample_QD, np.full((len(sample_QD), _K), -np.inf, np.float32))
    for block in store.vectors(row_ids_N, dim=dim):
        scan.damaged |= dict(block.damaged)
        scan.row_ids.append(block.row_ids_N)
        scores_QN = sample_QD @ block.vectors_ND.T
        joined_QN = np.concatenate([scan.scores_QK, scores_QN], axis=1)
        scan.scores_QK = -np.sort(-joined_QN, axis=1)[:, :_K]
    return scan


def _check_database(store: StoreReader) -> Check:
    with store.connection() as connection:
        rows = [row[0] for row in connection.execute("PRAGMA integrity_check(20)")]
        broken = [] if rows == ["ok"] else rows
        orphans = _column(
            connection.execute(
                "SELECT row_id FROM vectors WHERE row_id NOT IN (SELECT row_id FROM items)"
            )
        )
        invalid = _column(
            connection.execute("SELECT id FROM items WHERE NOT json_valid(metadata) ORDER BY id")
        )
    return Check(
        "database",
        "pages, keys, rows",
        _faults(
            ("database", "the database is damaged", broken, "restore a backup"),
            ("vector_orphan", "vectors of no item", orphans, _FIX),
            ("metadata_broken", "metadata that is not JSON", invalid, "add the images again"),
        ),
    )


def _check_vectors(store: StoreReader, scan: _Scan) -> Check:
    names = sorted(scan.damaged.values())
    return Check(
        "vectors",
        f"{store.count()} against their checksum",
        _faults(("vector_damaged", "damaged: kept, but not found", names, _FIX)),
    )


def _check_model(collection: Collection, media: MediaStore, encoder: Encoder) -> Check:
    bound = collection.binding.encoder_id
    if encoder.encoder_id != bound:
        text = f"the model is {encoder.encoder_id} now, the vectors are of {bound}"
        remedy = "use --model, or fill a new gallery"
        return Check("model", bound, _faults(("encoder_differs", text, [encoder.name], remedy)))
    checked, stale = 0, []
    for name, data, vector_D in _pictures(collection, media):
        (found,) = encode_image_bytes(encoder, [data])
        if isinstance(found, ImageError):
            continue
        checked += 1
        if float(found @ vector_D) < _SAME_COSINE:
            stale.append(name)
    text = "vectors that the model does not make today"
    return Check(
        "model",
        f"{bound}, {checked} pictures embedded again",
        _faults(("vector_stale", text, stale, "fill a new gallery")),
    )


def _check_words_and_fields(store: StoreReader) -> Check:
    words: list[str] = []
    if store.has_texts:
        with store.connection() as connection:
            words = _column(
                connection.execute(
                    "SELECT id FROM items LEFT JOIN texts ON texts.rowid = items.row_id "
                    "WHERE texts.caption IS NOT items.caption UNION "
                    "SELECT 'row ' || rowid FROM texts WHERE rowid NOT IN "
                    "(SELECT row_id FROM items)"
                )
            )
    return Check(
        "metadata",
        f"keyword index, {len(store.indexed_fields())} indexed fields",
        _faults(
            ("words_differ", "keyword index differs from the captions", words, _FIX),
            (
                "field_differs",
                "field indexes differ from the metadata",
                drifted_fields(store),
                _FIX,
            ),
        ),
    )


def _check_pictures(store: StoreReader, media: MediaStore) -> Check:
    files = media.files()
    with store.connection() as connection:
        rows = connection.execute("SELECT id, digest, source FROM items ORDER BY id").fetchall()
    gone = [
        name
        for name, digest, source in rows
        if not (source and Path(source).is_file()) and not media.holds_image(digest)
    ]
    deleted_since = set(gone) - store.items(gone).keys()
    strays = media.strays(files, {digest for _, digest, _ in rows})
    remedy = "put the files back, or delete the items"
    return Check(
        "pictures",
        f"{len(rows)} looked for",
        _faults(
            (
                "picture_gone",
                "the picture is gone",
                [name for name in gone if name not in deleted_since],
                remedy,
            ),
            (
                "file_orphan",
                "kept files of no item",
                [path.name for path in strays if _is_old(path)],
                _FIX,
            ),
        ),
    )


def _check_index(collection: Collection, scan: _Scan) -> Check:
    wanted_N = np.sort(np.concatenate([np.empty(0, np.int64), *scan.row_ids]))
    overlaps = [
        _overlap(collection, query_D, scores_K)
        for query_D, scores_K in zip(scan.sample_QD, scan.scores_QK, strict=True)
    ]
    overlap = float(np.mean(overlaps)) if overlaps else 1.0
    with collection.settled():
        held_N = collection.index.row_ids()
    # A row that is damaged in the record may live on in the index, out of an older snapshot.
    held_N = np.setdiff1d(held_N, np.array(list(scan.damaged), np.int64))
    exact = collection.index.capabilities.exact
    drifted = []
    if not np.array_equal(held_N, wanted_N):
        differing = len(np.setxor1d(held_N, wanted_N))
        drifted.append(f"{differing} rows differ from the record")
    if overlap < (1.0 if exact else _LEAST_OVERLAP):
        drifted.append(f"finds {overlap:.3f} of the true top {_K}")
    return Check(
        "index",
        f"{len(held_N)} rows; top {_K} of {len(overlaps)} items against exact: {overlap:.3f}",
        _faults(("index_differs", "the index differs from the record", drifted, _FIX)),
    )


def _overlap(collection: Collection, query_D: FloatArray, scores_K: FloatArray) -> float:
    wanted = int(np.isfinite(scores_K).sum())
    hits = collection.search(query_D, k=_K).hits
    least = scores_K[wanted - 1] - _SAME_SCORE
    return min(1.0, float(sum(hit.score >= least for hit in hits) / wanted))


def _check_snapshots(folder: Path, store: StoreReader) -> Check:
    with store.connection() as connection:
        rows = connection.execute("SELECT file, sha256 FROM snapshots ORDER BY file").fetchall()
    place = snapshot_folder(folder)
    bad = [file for file, digest in rows if not _holds(place / file, digest)]
    replaced_since = set(bad) - recorded_files(store)
    bad = [file for file in bad if file not in replaced_since]
    return Check(
        "snapshots",
        f"{len(rows)} against their sha256",
        _faults(("snapshot_damaged", "missing or damaged: never read", bad, _FIX)),
    )


def _pictures(collection: Collection, media: MediaStore) -> Iterator[tuple[str, bytes, FloatArray]]:
    """Yield some items whose picture and vector are there."""
    store = collection.store
    rows = _spread(store.row_ids(), _SAMPLED_PICTURES).tolist()
    items = store.items_of_rows(rows)
    vectors = store.vectors_of_ids([item.id for item in items.values()], dim=collection.binding.dim)
    for item in items.values():
        try:
            data = media.image(item)
        except NotFoundError:
            continue
        if item.id in vectors:
            yield item.id, data, vectors[item.id]


def _faults(*found: tuple[FaultKind, str, Sequence[str], str]) -> tuple[Fault, ...]:
    return tuple(
        Fault(kind, text, tuple(map(str, names)), remedy)
        for kind, text, names, remedy in found
        if names
    )


def _spread(row_ids_N: IdArray, count: int) -> IdArray:
    places = np.linspace(0, len(row_ids_N) - 1, min(count, len(row_ids_N))).astype(np.int64)
    return row_ids_N[places]


def _column(rows: Iterator[tuple[str]]) -> list[str]:
    return [str(row[0]) for row in rows]


def _is_old(path: Path) -> bool:
    """Return whether a file is there and not on its way to an item that a server is storing."""
    try:
        return time.time() - path.stat().st_mtime > _ARRIVING_S
    except OSError:
        return False


def _holds(path: Path, digest: str) -> bool:
    try:
        return sha256_file(path) == digest
    except OSError:
        return False
