"""A served gallery with a key of each scope, for the tests of keys, sessions and pages."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from service.keys import Scope, add_key, keys_path
from tests.service.running import running

KEYS: dict[str, str] = {}
"""The keys of the closed gallery by their scope."""


@contextmanager
def closed_gallery(folder: Path) -> Iterator[httpx.Client]:
    """Serve a gallery with a key of each scope; yield its client."""
    with running(folder) as client:
        for scope in Scope:
            secret = add_key(keys_path(folder / "gallery"), str(scope), scope, now=time.time())
            KEYS[str(scope)] = secret
        yield client


def bearer(scope: str) -> dict[str, str]:
    """Return the header of the key of a scope."""
    return {"Authorization": f"Bearer {KEYS[scope]}"}
