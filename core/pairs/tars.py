"""Webdataset tars: the members of one key are a sample, read at random through an index.

    0001.jpg  0001.txt  0001.json  0001.cls        key 0001: picture, captions, more, class

Only the index and the small members are read here; a picture is a slice of the tar.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from core.errors import PairsError
from core.pairs.collecting import PairCollector
from core.pairs.columns import IMAGE_SUFFIXES
from core.pairs.folders import read_sidecars
from core.pairs.image_file import FileSlice
from core.pairs.pair import Pair

_SIDECARS = {".txt": ".txt", ".caption": ".txt", ".json": ".json", ".cls": ".cls"}
_MOST_TEXT_BYTES = 10_000_000
_COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")


@dataclass(slots=True)
class _Sample:
    """The members of one key."""

    image: FileSlice | None = None
    texts: dict[str, bytes] = field(default_factory=dict)
    problem: str = ""


def collect_tar(source: Path, collector: PairCollector) -> None:
    """Take every sample with a picture; a damaged one, or the rest of a cut tar, is named.

    Raises:
        PairsError: the file is not a tar, or it is compressed, so nothing in it has a place.
    """
    if collector.asked.split is not None:
        raise PairsError(f"{source} is a tar, which has no splits; name the tars of one instead")
    samples: dict[str, _Sample] = {}
    cut = _read_members(source, samples)
    for key, sample in samples.items():
        name = f"{source.name}!{key}"
        pair = _pair(name, sample, f"{source}!{key}", collector)
        if pair is not None:
            collector.add(pair, where=str(source))
    if cut:
        collector.skip(source.name, cut)


def _pair(name: str, sample: _Sample, where: str, collector: PairCollector) -> Pair | None:
    if sample.problem or sample.image is None:
        collector.skip(name, sample.problem or "it has no picture")
        return None
    try:
        captions, label, metadata = read_sidecars(
            sample.texts.get(".txt"), sample.texts.get(".json"), where=where
        )
        label = sample.texts.get(".cls", b"").decode().strip() or label
    except (PairsError, UnicodeDecodeError) as error:
        collector.skip(name, str(error))
        return None
    return Pair(name, sample.image, captions, label, metadata)


def _read_members(source: Path, samples: dict[str, _Sample]) -> str:
    """Fill ``samples`` in order; return what is wrong with the end of the tar, if anything is."""
    size = source.stat().st_size
    try:
        with source.open("rb") as file:
            _refuse_compressed(file.read(8), source)
            file.seek(0)
            for member in _members(file):
                if member.isfile() and not _is_hidden(member.name):
                    _take(member, file, size, source, samples)
            file.seek(max(0, size - tarfile.BLOCKSIZE))
            if file.read().strip(b"\0"):
                return "the tar has no end mark; it may be cut"
    except tarfile.ReadError as error:
        if not samples:
            raise PairsError(f"{source} is not a tar: {error}") from error
        return f"the tar is cut or damaged after the sample {list(samples)[-1]!r}: {error}"
    except OSError as error:
        raise PairsError(f"{source} cannot be read: {error.strerror}") from error
    return ""


def _members(file: BinaryIO) -> Iterator[tarfile.TarInfo]:
    with tarfile.open(fileobj=file, mode="r:") as tar:
        for member in tar:
            yield member
            # tarfile keeps every member for lookups by name, which nobody here does.
            tar.members = []  # type: ignore[attr-defined]  # missing in the stubs


def _take(
    member: tarfile.TarInfo, file: BinaryIO, size: int, source: Path, samples: dict[str, _Sample]
) -> None:
    key, suffix = _key_and_suffix(member.name)
    is_image = suffix in IMAGE_SUFFIXES
    if not is_image and suffix not in _SIDECARS:
        return
    sample = samples.setdefault(key, _Sample())
    if member.sparse is not None or member.offset_data + member.size > size:
        sample.problem = f"the tar is cut within {member.name!r}"
        if member.sparse is not None:
            sample.problem = f"{member.name!r} is stored as a sparse file, which cannot be read"
    elif is_image and sample.image is not None:
        sample.problem = sample.problem or f"it has two pictures, {sample.image.name!r} and another"
    elif is_image:
        sample.image = FileSlice(source, member.name, member.offset_data, member.size)
    elif member.size > _MOST_TEXT_BYTES:
        sample.problem = f"{member.name!r} has {member.size} bytes, too many for a caption"
    else:
        file.seek(member.offset_data)
        sample.texts[_SIDECARS[suffix]] = file.read(member.size)


def _key_and_suffix(name: str) -> tuple[str, str]:
    """Return the key, which ends at the first dot of the file's name, and the last suffix."""
    path = PurePosixPath(name)
    stem, dot, suffix = path.name.partition(".")
    key = stem if path.parent == PurePosixPath() else f"{path.parent}/{stem}"
    return key, f".{suffix.rpartition('.')[2].lower()}" if dot else ""


def _is_hidden(name: str) -> bool:
    return any(part.startswith((".", "__")) for part in PurePosixPath(name).parts)


def _refuse_compressed(start: bytes, source: Path) -> None:
    if start.startswith(_COMPRESSED):
        raise PairsError(
            f"{source} is compressed, so pictures in it cannot be read at random; unpack it to a "
            "plain .tar first, for example with gunzip"
        )
