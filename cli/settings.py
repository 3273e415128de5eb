"""The one place where the command line reads the environment."""

from __future__ import annotations

import os
from pathlib import Path


def default_gallery(otherwise: str = "gallery") -> Path:
    """Return the gallery folder that commands use without ``--gallery``."""
    return Path(os.environ.get("SIGHTLINE_GALLERY") or otherwise).expanduser()


def default_url() -> str | None:
    """Return the server that commands ask without ``--url`` and ``--gallery``."""
    return os.environ.get("SIGHTLINE_URL") or None


def api_key() -> str | None:
    """Return the key that is sent to a server; an option would show it to other users."""
    return os.environ.get("SIGHTLINE_API_KEY") or None


def default_model() -> str | None:
    """Return the model used without ``--model`` (``None``: the gallery's own, or the starter)."""
    return os.environ.get("SIGHTLINE_MODEL") or None


def default_precision() -> str:
    """Return the precision that commands run a model in: ``SIGHTLINE_PRECISION``, else ``auto``."""
    return os.environ.get("SIGHTLINE_PRECISION") or "auto"


def compiled_folder() -> Path | None:
    """Return where commands keep compiled models; see the service's setting ``compile_cache``."""
    from service.settings import compiled_folder as folder_of

    return folder_of(os.environ.get("SIGHTLINE_COMPILE_CACHE") or "auto")


def wants_traceback() -> bool:
    """Return whether errors should show their traceback (``SIGHTLINE_DEBUG=1``)."""
    return os.environ.get("SIGHTLINE_DEBUG", "") not in {"", "0"}
