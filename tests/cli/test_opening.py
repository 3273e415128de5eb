"""Rules of cli.opening: what commands load, and what they keep."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.opening import open_encoder
from encoders import compiled_cache


@pytest.mark.slow
def test_commands_keep_compiled_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the user's cache, unless that is switched off."""
    caches = tmp_path / "caches"
    # The disk of the machine that runs the tests may be nearly full.
    monkeypatch.setattr(compiled_cache, "_SPARE_BYTES", 0)
    monkeypatch.setenv("XDG_CACHE_HOME", str(caches))
    monkeypatch.delenv("SIGHTLINE_MODEL", raising=False)
    monkeypatch.setenv("SIGHTLINE_COMPILE_CACHE", "off")
    open_encoder(None, None).close()
    assert not caches.exists()

    monkeypatch.delenv("SIGHTLINE_COMPILE_CACHE")
    open_encoder(None, None).close()

    assert len(list((caches / "sightline" / "compiled").iterdir())) == 2
