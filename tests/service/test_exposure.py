"""Who may reach a service that has no keys: this machine, unless somebody says otherwise."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from core.errors import ArtifactError, ConfigError
from service.keys import Scope, add_key, keys_path, revoke_key
from service.origins import is_loopback
from service.server import refuse_exposure, run_server
from tests.fakes import FakeEncoder
from tests.service.running import settings_for


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
def test_other_machines_need_keys(tmp_path: Path, host: str) -> None:
    """Without keys the start is refused with both remedies; a key or the setting allows it."""
    settings = settings_for(tmp_path, host=host)
    with pytest.raises(ConfigError, match=r"keys add.*SIGHTLINE_ALLOW_OPEN=true"):
        refuse_exposure(settings)

    refuse_exposure(settings_for(tmp_path, host=host, allow_open=True))
    add_key(keys_path(settings.gallery), "a", Scope.READ, now=time.time())
    refuse_exposure(settings)


def test_a_file_without_keys_lets_nobody_in_and_may_listen(tmp_path: Path) -> None:
    """After the last key is revoked the service is closed, not open."""
    settings = settings_for(tmp_path, host="0.0.0.0")
    path = keys_path(settings.gallery)
    add_key(path, "a", Scope.READ, now=time.time())
    revoke_key(path, "a")

    refuse_exposure(settings)


def test_a_server_is_refused_before_it_makes_anything(tmp_path: Path) -> None:
    """No socket, no gallery."""
    with pytest.raises(ConfigError, match="other machines"):
        run_server(settings_for(tmp_path, host="0.0.0.0", port=0), encoder=FakeEncoder())

    assert not (tmp_path / "gallery").exists()


def test_damaged_keys_stop_the_start(tmp_path: Path) -> None:
    """Also on this machine: nobody would get in."""
    settings = settings_for(tmp_path)
    path = keys_path(settings.gallery)
    add_key(path, "a", Scope.READ, now=time.time())
    path.write_text("{")

    with pytest.raises(ArtifactError, match="not valid JSON"):
        refuse_exposure(settings)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.8.8.8", "::1", "[::1]", "localhost", "LOCALHOST"]
)
def test_this_machine_has_several_names(host: str) -> None:
    """All of 127.0.0.0/8, its IPv6 counterpart, and the reserved name."""
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "localhost.example", "1270.0.0.1", "", "10.0.0.1"]
)
def test_other_names_are_of_other_machines(host: str) -> None:
    """Also those that only look like this one."""
    assert not is_loopback(host)
