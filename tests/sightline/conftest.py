"""Running services for the tests of the client."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sightline.client import Client
from tests.service.running import add_colours, running


@pytest.fixture(scope="session")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve a gallery of six one-colour pictures; tests that use it must not change it."""
    with running(tmp_path_factory.mktemp("colours")) as http:
        add_colours(http)
        yield str(http.base_url)


@pytest.fixture
def client(colours: str) -> Iterator[Client]:
    """Return a client of that gallery."""
    with Client(colours) as opened:
        yield opened


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Client]:
    """Return a client of an empty gallery that the test may fill."""
    with running(tmp_path) as http, Client(str(http.base_url)) as opened:
        yield opened


@pytest.fixture
def empty_url(tmp_path: Path) -> Iterator[str]:
    """Serve an empty gallery that the test may fill."""
    with running(tmp_path) as http:
        yield str(http.base_url)
