"""A disk whose cable is pulled: keeps what was synced, and some, none or torn bits of the rest.

The model is the one that POSIX leaves to a program: data of a file is sure after its fsync; until
then any of its sectors may be old, new or, beyond the old end, zeros, in any order. A name is sure
after the fsync of its directory; changes of one directory become sure in order.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.index.vfs import Event

_SECTOR = 512


class Disk:
    """Records what a process does to files under a root."""

    def __init__(self, root: Path) -> None:
        """Start with an empty, durable root."""
        self.root = root
        self.events: list[Event] = []

    def __call__(self, event: Event) -> int:
        """Record an event of SQLite and let it happen."""
        if Path(event.path).is_relative_to(self.root):
            self.events.append(event)
        return 0

    def mark(self, text: str) -> None:
        """Record something that the program said to its user."""
        self.events.append(Event("mark", text))

    def capture(self, path: Path) -> None:
        """Record what a file holds now that was written past SQLite."""
        self(Event("content", str(path), data=path.read_bytes()))

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Record what Python's own functions do to files."""
        names = ("fsync", "replace", "rename", "unlink", "remove", "mkdir")
        real = {name: getattr(os, name) for name in names}
        watched = {
            "fsync": self._fsync,
            "replace": self._rename,
            "rename": self._rename,
            "unlink": self._unlink,
            "remove": self._unlink,
            "mkdir": self._mkdir,
        }
        for name in names:
            setattr(os, name, _after(real[name], watched[name]))
        try:
            yield
        finally:
            for name in names:
                setattr(os, name, real[name])

    def _fsync(self, descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        if path.is_dir():
            self(Event("dirsync", str(path)))
            return
        self.capture(path)
        self(Event("sync", str(path)))

    def _rename(self, source: Any, target: Any) -> None:
        self(Event("rename", str(target), data=os.fsencode(source)))

    def _unlink(self, path: Any) -> None:
        self(Event("unlink", str(path)))

    def _mkdir(self, path: Any, mode: int = 0o777) -> None:
        self(Event("mkdir", str(path)))


def _after(real: Any, watch: Any) -> Any:
    def call(*arguments: Any) -> Any:
        result = real(*arguments)
        watch(*arguments)
        return result

    return call


@dataclass(slots=True)
class _File:
    """An inode: what is sure of it, and what was asked since."""

    sure: bytes = b""
    pending: list[Event] = field(default_factory=list)

    def survivor(self, rng: random.Random, mood: str) -> bytes:
        """Return the bytes that a power loss leaves."""
        held = bytearray(self.sure)
        torn_at = rng.randrange(len(self.pending) + 1) if mood == "prefix" else len(self.pending)
        for place, event in enumerate(self.pending[: torn_at + 1]):
            keep = 0.0 if mood == "nothing" else 1.0
            if mood == "some" or (mood == "prefix" and place == torn_at):
                keep = 0.5
            _apply(held, event, rng, keep)
        return bytes(held)


@dataclass(slots=True)
class _Names:
    """The changes of one directory, the first ``sure`` of which are durable."""

    changes: list[tuple[str, str, _File | None]] = field(default_factory=list)
    sure: int = 0


def after_power_loss(events: list[Event], root: Path, target: Path, *, seed: int) -> None:
    """Write to ``target`` what ``root`` may hold when the power goes after the last event."""
    rng = random.Random(seed)
    directories: dict[str, _Names] = {str(root): _Names()}
    files: dict[str, _File] = {}
    for event in events:
        _follow(event, files, directories)
    mood = ("nothing", "everything", "some", "prefix")[seed % 4]
    _restore(str(root), target, directories, rng, mood)


def _follow(event: Event, files: dict[str, _File], directories: dict[str, _Names]) -> None:
    path, parent = event.path, str(Path(event.path).parent)
    if event.kind == "content" and path not in files:
        _follow(Event("create", path), files, directories)
    match event.kind:
        case "mark":
            return
        case "create":
            files[path] = _File()
            directories[parent].changes.append(("link", path, files[path]))
        case "mkdir":
            directories[path] = _Names()
            directories[parent].changes.append(("link", path, None))
        case "unlink":
            files.pop(path, None)
            directories[parent].changes.append(("unlink", path, None))
        case "rename":
            source = os.fsdecode(event.data)
            files[path] = files.pop(source)
            directories[parent].changes.append(("unlink", source, None))
            directories[parent].changes.append(("link", path, files[path]))
        case "dirsync":
            directories[path].sure = len(directories[path].changes)
        case "sync":
            held = bytearray(files[path].sure)
            for pending in files[path].pending:
                _apply(held, pending, random.Random(0), 1.0)
            files[path].sure, files[path].pending = bytes(held), []
        case _:
            files[path].pending.append(event)


def _restore(
    path: str, target: Path, directories: dict[str, _Names], rng: random.Random, mood: str
) -> None:
    target.mkdir()
    names = directories[path]
    last = {"nothing": names.sure, "everything": len(names.changes)}
    count = last.get(mood, rng.randint(names.sure, len(names.changes)))
    held: dict[str, _File | None] = {}
    for kind, name, file in names.changes[:count]:
        if kind == "link":
            held[name] = file
        else:
            held.pop(name, None)
    for name, file in held.items():
        place = target / Path(name).name
        if file is None:
            _restore(name, place, directories, rng, mood)
        else:
            place.write_bytes(file.survivor(rng, mood))


def _apply(held: bytearray, event: Event, rng: random.Random, keep: float) -> None:
    """Bring each sector of a write (or a truncation whole) to the disk with some probability."""
    if event.kind == "truncate":
        if rng.random() < keep:
            del held[event.offset :]
            held.extend(bytes(event.offset - len(held)))
        return
    if event.kind == "content" and len(held) > len(event.data) and rng.random() < keep:
        del held[len(event.data) :]
    start, end = event.offset, event.offset + len(event.data)
    while start < end:
        stop = min(end, (start // _SECTOR + 1) * _SECTOR)
        if rng.random() < keep:
            held.extend(bytes(max(0, stop - len(held))))
            held[start:stop] = event.data[start - event.offset : stop - event.offset]
        start = stop
