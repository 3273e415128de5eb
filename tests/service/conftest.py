"""Running services for the tests of this room."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.service.closed_gallery import closed_gallery
from tests.service.running import add_colours, running


@pytest.fixture(scope="session")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Serve a gallery of six one-colour pictures; tests that use it must not change it."""
    with running(tmp_path_factory.mktemp("colours")) as client:
        add_colours(client)
        yield client


@pytest.fixture(scope="session")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Serve a gallery that has a key of each scope; tests that use it must not change it."""
    with closed_gallery(tmp_path_factory.mktemp("closed")) as client:
        yield client


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[httpx.Client]:
    """Serve an empty gallery that the test may fill."""
    with running(tmp_path) as client:
        yield client
