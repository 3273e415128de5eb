"""API keys: who may use a service, kept beside the gallery as ``keys.json``.

Only the sha256 of a key is stored. A key is 256 random bits, so its digest cannot be turned back;
slow password hashes are for words that people make up.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from core.artifacts import make_folder, read_json, write_atomic
from core.errors import ArtifactError, ConflictError, NotFoundError, StorageError, UsageError
from core.types import JSONObject, JSONValue

KEY_PREFIX = "sl_"
"""Begins every key, so that a leaked one is recognised by people and by scanners."""
KEYS_NAME = "keys.json"

_FORMAT_VERSION = 1
_RANDOM_BYTES = 32
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
_DIGEST = re.compile(r"[0-9a-f]{64}\Z")


class Scope(StrEnum):
    """What a key may do; each scope contains the ones before it."""

    READ = "read"
    """Search, classify, embed, look at items."""
    WRITE = "write"
    """Add, change and delete items and label sets."""
    ADMIN = "admin"
    """What tells of the operation: the metrics."""

    def allows(self, needed: Scope) -> bool:
        """Return whether this scope contains ``needed``."""
        order = list(Scope)
        return order.index(self) >= order.index(needed)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is known of a key; the key itself is known to its holder alone."""

    name: str
    """Chosen by the operator; stands in logs."""
    digest: str
    """Hexadecimal sha256 of the key."""
    scope: Scope
    """What it may do."""
    created_at: int
    """Unix time."""
    expires_at: int | None = None
    """Unix time from which on it is refused; ``None``: never."""
    rate: float | None = None
    """Requests a second; ``None``: the service's setting ``rate_limit``."""

    def has_expired(self, now: float) -> bool:
        """Return whether the key is refused at a Unix time."""
        return self.expires_at is not None and now >= self.expires_at


def digest_of_key(key: str) -> str:
    """Return what is stored of a key: its hexadecimal sha256."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def keys_path(gallery: Path) -> Path:
    """Return where the keys of a gallery are kept."""
    return gallery / KEYS_NAME


def read_keys(path: Path) -> tuple[ApiKey, ...] | None:
    """Return the keys of a file, ``None`` where there is no file.

    Raises:
        ArtifactError: the file is damaged, or of a version that this release does not know.
        StorageError: it cannot be read.
    """
    try:
        document = read_json(path)
    except ArtifactError:
        if not path.exists():
            return None
        raise
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror}") from error
    if document.get("format_version") != _FORMAT_VERSION:
        raise ArtifactError(
            f"{path} has format version {document.get('format_version')!r}; this release reads "
            f"{_FORMAT_VERSION}"
        )
    entries = document.get("keys")
    try:
        assert isinstance(entries, list)
        return tuple(_key_of(entry) for entry in entries)
    except (AssertionError, KeyError, TypeError, ValueError) as error:
        raise ArtifactError(
            f"{path} holds an entry that is no key ({error!r}); restore the file, or delete it and "
            "add the keys again"
        ) from error


def add_key(
    path: Path,
    name: str,
    scope: Scope,
    *,
    now: float,
    expires_at: int | None = None,
    rate: float | None = None,
) -> str:
    """Make a key, store its digest, and return the key, which cannot be shown again.

    Raises:
        ConflictError: there is a key of that name.
        SightlineError: the file cannot be read or written.
        UsageError: the name, the rate or the date cannot be used.
    """
    if not _NAME.match(name):
        raise UsageError(
            f"{name!r} is no name of a key: expected 1 to 64 letters, digits, dots, dashes and "
            "underscores, beginning with a letter or digit"
        )
    if rate is not None and not 0 < rate < float("inf"):
        raise UsageError(f"a rate of {rate:g} requests a second: expected more than 0")
    if expires_at is not None and expires_at <= now:
        raise UsageError("the date on which the key expires has passed; choose a later one")
    secret = KEY_PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)
    with _changing(path) as keys:
        if any(key.name == name for key in keys):
            raise ConflictError(f"there is a key {name!r}; revoke it first, or choose another name")
        keys.append(ApiKey(name, digest_of_key(secret), scope, int(now), expires_at, rate))
    return secret


def revoke_key(path: Path, name: str) -> int:
    """Forget a key and return how many are left.

    Raises:
        NotFoundError: there is no key of that name.
        SightlineError: the file cannot be read or written.
    """
    with _changing(path) as keys:
        kept = [key for key in keys if key.name != name]
        if len(kept) == len(keys):
            known = ", ".join(key.name for key in keys) or "none"
            raise NotFoundError(f"there is no key {name!r}; known: {known}")
        keys[:] = kept
    return len(kept)


@contextmanager
def _changing(path: Path) -> Iterator[list[ApiKey]]:
    """Yield the keys and store what became of them; one process at a time."""
    try:
        make_folder(path.parent)
        descriptor = os.open(
            path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
        )
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            keys = list(read_keys(path) or ())
            yield keys
            write_atomic(path, _document(keys), mode=0o600)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror}") from error


def _document(keys: list[ApiKey]) -> bytes:
    entries: list[JSONValue] = [
        {
            "name": key.name,
            "digest": key.digest,
            "scope": str(key.scope),
            "created_at": key.created_at,
            "expires_at": key.expires_at,
            "rate": key.rate,
        }
        for key in keys
    ]
    document: JSONObject = {"format_version": _FORMAT_VERSION, "keys": entries}
    return (json.dumps(document, indent=2) + "\n").encode()


def _key_of(entry: object) -> ApiKey:
    assert isinstance(entry, dict)
    expires_at, rate = entry["expires_at"], entry["rate"]
    name, digest = str(entry["name"]), str(entry["digest"])
    if not _NAME.match(name) or not _DIGEST.match(digest):
        raise ValueError(name)
    return ApiKey(
        name,
        digest,
        Scope(entry["scope"]),
        int(entry["created_at"]),
        None if expires_at is None else int(expires_at),
        None if rate is None else float(rate),
    )
