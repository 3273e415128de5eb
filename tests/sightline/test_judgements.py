"""``client.judgements``: marks through the client, awaited or not."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import NotFoundError
from sightline.async_client import AsyncClient
from sightline.client import Client
from tests.service.running import add_colours, running


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """Serve six colours, for one test alone."""
    with running(tmp_path) as client:
        add_colours(client)
        yield str(client.base_url)


def test_marks_go_and_come_back(url: str) -> None:
    """Judge, look, measure, forget."""
    with Client(url) as client:
        judged = client.judgements
        assert judged.judge("red", {"red": 1, "blue": 0, "nobody": 1}) == ("nobody",)
        judged.judge("red", {"green": 1}, mode="hybrid", filter={"n": {"gte": 1}})

        assert judged.marks("red") == {"red": 1, "blue": 0}
        assert judged.marks("red", mode="hybrid", filter={"n": {"gte": 1}}) == {"green": 1}
        assert judged.marks("never judged") == {}
        assert [one.right for one in judged.walk(page=1)] == [1, 1]
        assert judged.quality(k=1).mean["judged_precision@1"].value == 1.0
        assert len(judged.export("qrels").splitlines()) == 3
        assert judged.forget("red") == 2
        with pytest.raises(NotFoundError):
            judged.judge("red", {"nobody": 1})


def test_the_awaited_client_does_the_same(url: str) -> None:
    """Every method once."""

    async def ask() -> None:
        async with AsyncClient(url) as client:
            judged = client.judgements
            assert await judged.judge("red", {"red": 1}) == ()
            assert await judged.marks("red") == {"red": 1}
            assert [one.query async for one in judged.walk(page=1)] == ["red"]
            quality = await judged.quality(k=1)
            assert [one["recall@1"] for one in quality.queries.values()] == [1.0]
            assert b"red" in await judged.export("queries")
            assert await judged.forget("red") == 1

    asyncio.run(ask())
