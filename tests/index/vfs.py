"""A SQLite VFS over the usual one: tells every write and sync to a test, and fails on demand.

It works on the very library that Python's ``sqlite3`` uses, so the product's own connections and
statements run through it: the structures of the default VFS are copied, and the functions that
change files are wrapped (sqlite.org/c3ref/vfs.html, sqlite.org/c3ref/io_methods.html).
"""

from __future__ import annotations

import ctypes
import errno
import os
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

FULL = 13
"""SQLITE_FULL: the disk is full."""
IOERR_WRITE = 778
"""SQLITE_IOERR_WRITE: the disk failed."""
IOERR_FSYNC = 1034
"""SQLITE_IOERR_FSYNC: the disk failed while it made data durable."""
_IOERR_TRUNCATE = 1546
_OPEN_CREATE = 0x4
_POINTER = ctypes.c_void_p
_INT = ctypes.c_int


@dataclass(frozen=True, slots=True)
class Event:
    """One change of a file or directory."""

    kind: str
    """create, write, truncate, sync, unlink; of directories: dirsync; else see power.py."""
    path: str
    offset: int = 0
    """Where a write begins; the size that a truncation leaves."""
    data: bytes = b""


Hook = Callable[[Event], int]
"""Called before each change; what it returns instead of 0 is the error that SQLite gets."""


class _Methods(ctypes.Structure):
    _fields_ = (
        ("version", _INT),
        ("close", _POINTER),
        ("read", _POINTER),
        ("write", _POINTER),
        ("truncate", _POINTER),
        ("sync", _POINTER),
        ("others", _POINTER * 13),
    )


class _File(ctypes.Structure):
    _fields_ = (("methods", ctypes.POINTER(_Methods)),)


class _VFS(ctypes.Structure):
    _fields_ = (
        ("version", _INT),
        ("file_bytes", _INT),
        ("longest_path", _INT),
        ("next", _POINTER),
        ("name", ctypes.c_char_p),
        ("data", _POINTER),
        ("open", _POINTER),
        ("delete", _POINTER),
        ("others", _POINTER * 11),
        ("set_system_call", _POINTER),
        ("get_system_call", _POINTER),
        ("next_system_call", _POINTER),
    )


_FILE = ctypes.POINTER(_File)
_OPEN = ctypes.CFUNCTYPE(_INT, _POINTER, _POINTER, _FILE, _INT, ctypes.POINTER(_INT))
_DELETE = ctypes.CFUNCTYPE(_INT, _POINTER, ctypes.c_char_p, _INT)
_CLOSE = ctypes.CFUNCTYPE(_INT, _FILE)
_WRITE = ctypes.CFUNCTYPE(_INT, _FILE, _POINTER, _INT, ctypes.c_int64)
_TRUNCATE = ctypes.CFUNCTYPE(_INT, _FILE, ctypes.c_int64)
_SYNC = ctypes.CFUNCTYPE(_INT, _FILE, _INT)
_OPEN_DIRECTORY = ctypes.CFUNCTYPE(_INT, ctypes.c_char_p, ctypes.POINTER(_INT))
_SET_CALL = ctypes.CFUNCTYPE(_INT, _POINTER, ctypes.c_char_p, _POINTER)
_GET_CALL = ctypes.CFUNCTYPE(_POINTER, _POINTER, ctypes.c_char_p)


class WatchedVFS:
    """The default VFS of this process while ``installed``; one object serves a whole process."""

    def __init__(self) -> None:
        """Wrap the default VFS.

        Raises:
            pytest.skip: SQLite is linked in such a way that it cannot be reached.
        """
        self._library = _library()
        find = self._library.sqlite3_vfs_find
        find.restype, find.argtypes = ctypes.POINTER(_VFS), [ctypes.c_char_p]
        self._base = find(None)
        base = self._base.contents
        self._vfs = _VFS.from_buffer_copy(base)
        self._vfs.name = b"watched"
        self._hook: Hook = _nothing
        self._paths: dict[int, str] = {}
        self._methods: dict[int, _Methods] = {}
        self._real_open = _OPEN(base.open)
        self._real_delete = _DELETE(base.delete)
        get_call, self._set_call = _GET_CALL(base.get_system_call), _SET_CALL(base.set_system_call)
        self._real_directory = _OPEN_DIRECTORY(get_call(self._base_pointer(), b"openDirectory"))
        # Functions that C calls must live as long as the process: files may outlive a test.
        self._alive: list[Any] = [
            _OPEN(self._open),
            _DELETE(self._delete),
            _OPEN_DIRECTORY(self._directory),
        ]
        self._vfs.open, self._vfs.delete = map(_address, self._alive[:2])

    @contextmanager
    def installed(self, hook: Hook) -> Iterator[None]:
        """Watch every file that SQLite opens inside the block, until it is closed."""
        register, remove = self._library.sqlite3_vfs_register, self._library.sqlite3_vfs_unregister
        self._hook = hook
        register(ctypes.byref(self._vfs), 1)
        self._set_call(self._base_pointer(), b"openDirectory", _address(self._alive[2]))
        try:
            yield
        finally:
            self._set_call(self._base_pointer(), b"openDirectory", None)
            remove(ctypes.byref(self._vfs))
            register(self._base, 1)
            self._hook = _nothing

    def _base_pointer(self) -> int | None:
        return ctypes.cast(self._base, _POINTER).value

    def _open(self, vfs: int, name: int | None, file: Any, flags: int, out: Any) -> int:
        path = "" if name is None else os.fsdecode(ctypes.string_at(name))
        if path and flags & _OPEN_CREATE and not Path(path).exists():
            refused = self._hook(Event("create", path))
            if refused:
                return refused
        code = int(self._real_open(vfs, name, file, flags, out))
        if code == sqlite3.SQLITE_OK and path:
            self._paths[ctypes.addressof(file.contents)] = path
            file.contents.methods = ctypes.pointer(self._wrapped(file.contents.methods))
        return code

    def _wrapped(self, real: Any) -> _Methods:
        """Return the methods of a file with ours among them, made once for each kind of file."""
        address = ctypes.addressof(real.contents)
        if address in self._methods:
            return self._methods[address]
        real_write, real_truncate = _WRITE(real.contents.write), _TRUNCATE(real.contents.truncate)
        real_sync, real_close = _SYNC(real.contents.sync), _CLOSE(real.contents.close)

        def write(file: Any, data: int, amount: int, offset: int) -> int:
            event = Event("write", self._path(file), offset, ctypes.string_at(data, amount))
            refused = self._hook(event)
            if refused:  # As disks do: part of it arrives.
                real_write(file, data, amount // 2, offset)
            return refused or int(real_write(file, data, amount, offset))

        def truncate(file: Any, size: int) -> int:
            refused = self._hook(Event("truncate", self._path(file), size))
            return refused or int(real_truncate(file, size))

        def sync(file: Any, flags: int) -> int:
            return self._hook(Event("sync", self._path(file))) or int(real_sync(file, flags))

        def close(file: Any) -> int:
            self._paths.pop(ctypes.addressof(file.contents), None)
            return int(real_close(file))

        ours = [_WRITE(write), _TRUNCATE(truncate), _SYNC(sync), _CLOSE(close)]
        self._alive += ours
        methods = _Methods.from_buffer_copy(real.contents)
        methods.write, methods.truncate, methods.sync, methods.close = map(_address, ours)
        self._methods[address] = methods
        return methods

    def _path(self, file: Any) -> str:
        return self._paths[ctypes.addressof(file.contents)]

    def _delete(self, vfs: int, name: bytes, sync_directory: int) -> int:
        refused = self._hook(Event("unlink", os.fsdecode(name)))
        return refused or int(self._real_delete(vfs, name, sync_directory))

    def _directory(self, name: bytes, descriptor: Any) -> int:
        """SQLite opens the directory of a file only to sync it."""
        self._hook(Event("dirsync", str(Path(os.fsdecode(name)).parent)))
        return int(self._real_directory(name, descriptor))


def error_for(event: Event, kind: int) -> int:
    """Return what SQLite's own VFS answers to an event for ENOSPC or EIO."""
    if event.kind == "sync":
        return IOERR_FSYNC
    if kind == errno.ENOSPC:
        return FULL
    return _IOERR_TRUNCATE if event.kind == "truncate" else IOERR_WRITE


def _nothing(event: Event) -> int:
    return 0


def _address(function: Any) -> int | None:
    return ctypes.cast(function, _POINTER).value


def _library() -> Any:
    """Return the SQLite that ``sqlite3`` has loaded."""
    maps = Path("/proc/self/maps")
    lines = maps.read_text().splitlines() if maps.exists() else []
    loaded = {line.split()[-1] for line in lines if "sqlite3" in line.rsplit("/", 1)[-1]}
    for path in [*sorted(loaded), sys.executable]:
        try:
            library = ctypes.CDLL(path)
            library.sqlite3_libversion.restype = ctypes.c_char_p
            found: bytes = library.sqlite3_libversion()
        except (OSError, AttributeError):
            continue
        if found.decode() == sqlite3.sqlite_version:
            return library
    return pytest.skip("Python's SQLite cannot be reached by ctypes")
