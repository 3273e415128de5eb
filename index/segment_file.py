"""The file of an immutable base: vectors, row ids and one FAISS index, mapped into memory.

# N = rows, D = embedding dimension, S = rows of the training sample

A header of 4096 bytes (magic, JSON), then float32 vectors (N, D), int64 row ids (N) and the bytes
of the FAISS index, each at a multiple of 4096. Kind ``flat-int8`` has a rounding (float32) and
several FAISS indexes of equal size in the place of one. The file has no checksum inside: its sha256
stands in the database, and only a file that has it is opened.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import faiss
import numpy as np

from core.errors import StorageError, UsageError
from core.types import FloatArray, IdArray
from index.byte_scan import ByteScan
from index.faults import reach
from index.index_plan import IndexPlan, factory_string, plan_of_json, trainable
from index.rounding import Rounding

_faiss: Any = faiss
_MAGIC = b"SIGHTSEG"
_FORMAT = 1
_PAGE = 4096
_ROWS_OF_A_BLOCK = 16_384
_SAMPLE_PER_LIST = 64
_LEAST_SAMPLE = 16_384
_TRAINING_ROUNDS = 8
_HNSW_EF_BUILD = 80

Block = tuple[IdArray, FloatArray]
"""Row ids (B,) and their vectors (B, D)."""


@dataclass(frozen=True, slots=True)
class Segment:
    """An open file: views into mapped memory."""

    plan: IndexPlan
    row_ids_N: IdArray
    vectors_ND: FloatArray
    index: Any
    """The FAISS index over positions 0 to N - 1; a ``ByteScan`` for ``flat-int8``, ``None`` for
    ``flat``."""
    owners: tuple[object, ...]
    """What must live as long as the views."""


def write_segment(
    path: Path,
    blocks: Iterable[Block],
    *,
    dim: int,
    plan_for: Callable[[int], IndexPlan],
    check: Callable[[], None] = lambda: None,
) -> None:
    """Write rows, in ascending order of row id, and the index that ``plan_for`` N rows wants.

    Memory: the codes of the approximate part, its training sample and one block. ``check`` is
    called between blocks; what it raises ends the work.

    Raises:
        OSError: the file cannot be written.
    """
    with path.open("w+b") as file:
        file.write(bytes(_PAGE))
        row_ids_N = _write_vectors(file, blocks, check)
        count = len(row_ids_N)
        plan = trainable(plan_for(count), count, dim)
        ids_at = _aligned(file)
        file.write(row_ids_N.tobytes())
        file.flush()
        index_at = _aligned(file)
        parts: dict[str, int] = {}
        if plan.kind != "flat":
            vectors_ND = np.memmap(path, np.float32, "r", offset=_PAGE, shape=(count, dim))
            built = build_index(plan, np.asarray(vectors_ND), check=check)
            if isinstance(built, ByteScan):
                parts = _write_parts(built, file)
            else:
                _write_index(built, file)
        fields = {
            "format": _FORMAT,
            "dim": dim,
            "rows": count,
            "row_ids_at": ids_at,
            "index_at": index_at,
            "bytes": file.tell(),
            "plan": plan.as_json(),
            **parts,
        }
        file.seek(0)
        file.write(_MAGIC + json.dumps(fields).encode())


def open_segment(path: Path, *, dim: int) -> Segment:
    """Map a file whose digest was verified.

    Raises:
        StorageError: the file holds something else.
    """
    try:
        # Seen as a plain array: every slice of a memmap object costs microseconds.
        mapped = np.asarray(np.memmap(path, np.uint8, "r"))
        fields = _read_header(mapped)
        if fields["format"] != _FORMAT or fields["dim"] != dim or fields["bytes"] != len(mapped):
            raise StorageError(f"{path} is a segment of another kind: {fields}; expected dim {dim}")
        count, ids_at, index_at = fields["rows"], fields["row_ids_at"], fields["index_at"]
        plan = plan_of_json(fields["plan"])
        vectors_ND = mapped[_PAGE : _PAGE + 4 * dim * count].view(np.float32).reshape(count, dim)
        row_ids_N = mapped[ids_at : ids_at + 8 * count].view(np.int64)
        index: Any = None
        owners: tuple[object, ...] = ()
        if plan.kind == "flat-int8":
            index, owners = _open_parts(mapped, fields)
        elif plan.kind != "flat":
            index, owners = _open_index(mapped[index_at:])
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, UsageError) as error:
        raise StorageError(f"{path} is not the base of an index: {error}") from error
    if index is not None and (index.d != dim or index.ntotal != count):
        raise StorageError(f"{path} holds an index of {index.ntotal} rows, dim {index.d}")
    return Segment(plan, row_ids_N, vectors_ND, index, (mapped, *owners))


def build_index(
    plan: IndexPlan, vectors_ND: FloatArray, *, check: Callable[[], None] = lambda: None
) -> Any:
    """Return the index of a plan over all rows, on one thread, the same every time."""
    faiss.omp_set_num_threads(1)
    count, dim = vectors_ND.shape
    if plan.kind == "flat-int8":
        return ByteScan.build(vectors_ND, check=check)
    index = _faiss.index_factory(dim, factory_string(plan, dim), faiss.METRIC_INNER_PRODUCT)
    if plan.has_lists:
        index.cp.niter = _TRAINING_ROUNDS
        index.cp.max_points_per_centroid = _SAMPLE_PER_LIST
    if plan.kind == "hnsw":
        index.hnsw.efConstruction = _HNSW_EF_BUILD
    size = min(count, max(_LEAST_SAMPLE, _SAMPLE_PER_LIST * plan.lists))
    chosen_S = np.sort(np.random.default_rng(0).choice(count, size, replace=False))
    index.train(np.ascontiguousarray(vectors_ND[chosen_S]))
    for start in range(0, count, _ROWS_OF_A_BLOCK):
        check()
        index.add(np.ascontiguousarray(vectors_ND[start : start + _ROWS_OF_A_BLOCK]))
    return index


def _write_vectors(file: BinaryIO, blocks: Iterable[Block], check: Callable[[], None]) -> IdArray:
    row_ids: list[IdArray] = []
    for row_ids_B, vectors_BD in blocks:
        file.write(np.ascontiguousarray(vectors_BD, np.float32).data)
        row_ids.append(row_ids_B)
        reach("snapshot:half")
        check()
    return np.concatenate([np.empty(0, np.int64), *row_ids])


def _write_parts(scan: ByteScan, file: BinaryIO) -> dict[str, int]:
    """Write the rounding and the parts of kind ``flat-int8``; return where they are."""
    rounding_at = _aligned(file)
    file.write(scan.rounding.as_array().tobytes())
    parts_at, part_bytes = _aligned(file), 0
    for part in scan.parts:
        _write_index(part, file)
        # The last part may be shorter; where each begins follows from the size of the first.
        part_bytes = part_bytes or _aligned(file) - parts_at
        _aligned(file)
    return {"rounding_at": rounding_at, "parts_at": parts_at, "part_bytes": part_bytes}


def _write_index(index: object, file: BinaryIO) -> None:
    writer = _faiss.PyCallbackIOWriter(file.write)
    _faiss.write_index(index, writer)


def _aligned(file: BinaryIO) -> int:
    file.write(bytes(-file.tell() % _PAGE))
    return file.tell()


def _read_header(mapped_B: np.ndarray) -> dict[str, Any]:
    header = mapped_B[:_PAGE].tobytes()
    if not header.startswith(_MAGIC):
        raise ValueError("it does not begin like one")
    fields: dict[str, Any] = json.loads(header[len(_MAGIC) :].rstrip(b"\0"))
    return fields


def _open_parts(
    mapped_B: np.ndarray, fields: dict[str, Any]
) -> tuple[ByteScan, tuple[object, ...]]:
    rounding_at, dim = fields["rounding_at"], fields["dim"]
    end = rounding_at + 4 * (2 * dim + 2)
    rounding = Rounding.from_array(mapped_B[rounding_at:end].view(np.float32))
    parts: list[Any] = []
    owners: list[object] = []
    for begin in range(fields["parts_at"], len(mapped_B), fields["part_bytes"]):
        part, of_part = _open_index(mapped_B[begin : begin + fields["part_bytes"]])
        if part.d != dim:
            raise ValueError(f"a part has dim {part.d}")
        parts.append(part)
        owners += of_part
    return ByteScan(parts, rounding), tuple(owners)


def _open_index(bytes_B: np.ndarray) -> tuple[Any, tuple[object, ...]]:
    # The bytes are used where they lie: pages are read as searches need them.
    reader = _faiss.ZeroCopyIOReader(_faiss.swig_ptr(bytes_B), bytes_B.size)
    index = _faiss.read_index(reader)
    return _faiss.downcast_index(index), (bytes_B, reader, index)
