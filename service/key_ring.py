"""The keys of a running server: read again whenever their file has changed."""

from __future__ import annotations

import hmac
import logging
import threading
from pathlib import Path

from core.errors import AuthenticationError, SightlineError, StorageError
from service.keys import ApiKey, digest_of_key, read_keys

logger = logging.getLogger(__name__)

_Stamp = tuple[int, int, int]
_LONGEST_KEY = 512


class KeyRing:
    """Finds keys; safe to use from any thread.

    The service is open as long as there has never been a file of keys. Once there was one, it
    stays closed until the process ends, even when the file is deleted: a slip must not open it.
    """

    def __init__(self, path: Path) -> None:
        """Read the keys at ``path``.

        Raises:
            SightlineError: there is a file, but it cannot be read.
        """
        self._path = path
        self._lock = threading.Lock()
        self._stamp = _stamp_of(path)
        keys = read_keys(path)
        self._is_closed = keys is not None
        self._by_digest = {key.digest: key for key in keys or ()}
        self._problem: SightlineError | None = None

    def is_closed(self) -> bool:
        """Return whether requests need a key.

        Raises:
            StorageError: the file of keys has become unreadable; nobody gets in until it is mended.
        """
        self._refresh()
        return self._is_closed

    def find(self, secret: str, *, now: float) -> ApiKey:
        """Return what is known of the key that a client sent.

        Raises:
            AuthenticationError: it is unknown or has expired.
        """
        digest = digest_of_key(secret[:_LONGEST_KEY])
        return self.with_digest(digest, now=now)

    def with_digest(self, digest: str, *, now: float) -> ApiKey:
        """Return what is known of the key with a digest.

        Raises:
            AuthenticationError: it is unknown or has expired.
        """
        found = self._by_digest.get(digest)
        if found is None or not hmac.compare_digest(found.digest, digest):
            raise AuthenticationError(
                "the API key is not known to this service; ask its operator for one",
                code="unknown_key",
            )
        if found.has_expired(now):
            raise AuthenticationError(
                f"the API key {found.name!r} has expired; ask the operator for a new one",
                code="expired_key",
            )
        return found

    def _refresh(self) -> None:
        stamp = _stamp_of(self._path)
        if stamp != self._stamp:
            with self._lock:
                if stamp != self._stamp:
                    self._read(stamp)
        if self._problem is not None:
            raise StorageError(
                "the API keys of this service cannot be read, so nobody is let in; its operator "
                "finds the reason in the log",
                code="keys_unreadable",
            ) from self._problem

    def _read(self, stamp: _Stamp | None) -> None:
        try:
            keys = read_keys(self._path)
        except SightlineError as error:
            logger.exception("the API keys cannot be read")
            self._problem, self._is_closed = error, True
        else:
            self._problem = None
            self._by_digest = {key.digest: key for key in keys or ()}
            self._is_closed = self._is_closed or keys is not None
            logger.info("API keys read", extra={"keys": len(self._by_digest)})
        # Last: until here other threads wait at the lock, and none goes on with the old keys.
        self._stamp = stamp


def _stamp_of(path: Path) -> _Stamp | None:
    """Return what changes when a file is replaced; ``None`` where there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    except OSError:
        # Unreadable is a state of its own, which reading then explains.
        return (0, 0, 0)
    return (found.st_ino, found.st_mtime_ns, found.st_size)
