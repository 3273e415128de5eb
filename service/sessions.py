"""Sessions of the page: signed cookies that stand for a key without holding it.

``<img>`` cannot send headers, so the page gives its key once and gets a cookie. The cookie names
the digest of the key and a time, signed with a secret of this process: it ends with the key, with
its time and with the process, and nothing has to be stored for it.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

from core.errors import AuthenticationError

COOKIE = "sightline_session"
SESSION_S = 12 * 3600
"""Seconds that a session lasts: a working day."""

_PARTS = 3


class Sessions:
    """Makes and checks the cookies of one process."""

    def __init__(self, secret: bytes | None = None) -> None:
        """Sign with ``secret``; a new random one unless several processes have to share it."""
        self._secret = secret or secrets.token_bytes(32)

    def begin(self, digest: str, *, now: float) -> str:
        """Return the value of a cookie for the key with a digest."""
        signed = f"{digest}.{int(now) + SESSION_S}"
        return f"{signed}.{self._signature(signed)}"

    def digest_of(self, cookie: str, *, now: float) -> str:
        """Return the digest of the key that a cookie stands for.

        Raises:
            AuthenticationError: the cookie was not made here, or its time is over.
        """
        parts = cookie.split(".")
        signed = ".".join(parts[:2])
        genuine = len(parts) == _PARTS and hmac.compare_digest(
            self._signature(signed).encode(), parts[2].encode("utf-8", "surrogatepass")
        )
        # Only what is genuine has a time that can be read.
        if not genuine or now >= int(parts[1]):
            raise AuthenticationError("the session is over; enter the key again", code="no_session")
        return parts[0]

    def _signature(self, text: str) -> str:
        data = text.encode("utf-8", "surrogatepass")
        return hmac.new(self._secret, data, hashlib.sha256).hexdigest()
