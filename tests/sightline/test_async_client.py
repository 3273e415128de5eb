"""Rules of the client for an event loop: the same answers, many at a time, nothing left behind."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable

import numpy as np
import pytest

from core.errors import NotFoundError, NotReadyError, SightlineError
from sightline.adding import AddLimits, NewItem
from sightline.async_client import AsyncClient
from sightline.label_calls import LabelRequest
from sightline.retries import RetryRule
from tests.fakes import COLOURS, picture_bytes


def run(url: str, ask: Callable[[AsyncClient], Awaitable[None]]) -> None:
    """Run one question with a client of its own."""

    async def main() -> None:
        async with AsyncClient(url) as client:
            await ask(client)

    asyncio.run(main())


def test_every_question_is_answered(colours: str) -> None:
    """Search, labels, embeddings, items, label sets and the state of the service."""

    async def ask(client: AsyncClient) -> None:
        assert (await client.search("red", k=1)).hits[0].id == "red"
        assert len([hit async for hit in client.search_all("red", page=4)]) == 6
        assert (await client.classify(picture_bytes("blue"), ["red", "blue"])).label == "blue"
        many = await client.classify_many([], LabelRequest(labels=["red"]), image_ids=["red"])
        assert many.results[0].label == "red"
        texts_ND = await client.embed_texts(["red"])
        images_ND = await client.embed_images([picture_bytes("red")])
        np.testing.assert_allclose(texts_ND, images_ND, atol=1e-5)
        assert [item.id async for item in client.items.walk(page=4)] == sorted(COLOURS)
        assert (await client.items.get("red")).metadata == {"n": 0}
        assert await client.items.image("red") == picture_bytes("red")
        assert await client.items.thumbnail("red")
        assert (await client.label_sets.get("imagenet")).name == "imagenet"
        assert await client.label_sets.list()
        assert (await client.gallery()).count == 6
        assert (await client.models())[0].dim == 8
        await client.wait_until_ready(120)
        with pytest.raises(NotFoundError):
            await client.items.get("nobody")

    run(colours, ask)


@pytest.mark.slow
def test_a_hundred_searches_at_a_time_each_get_their_own_answer(colours: str) -> None:
    """More of them than connections: those that wait for one are answered too."""
    names = [name for name in COLOURS for _ in range(17)][:100]

    async def ask(client: AsyncClient) -> None:
        answers = await asyncio.gather(*(client.search(name, k=1) for name in names))

        assert [answer.hits[0].id for answer in answers] == names

    run(colours, ask)


@pytest.mark.filterwarnings("error")
def test_what_is_cancelled_leaves_no_connection() -> None:
    """A server that never answers sees its connection closed; no task and no socket remains."""

    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            silent.settimeout(300)
            url = f"http://127.0.0.1:{silent.getsockname()[1]}"
            async with AsyncClient(url, timeout_s=60) as client:
                searching = asyncio.create_task(client.search("red"))
                connection, _ = await asyncio.to_thread(silent.accept)
                connection.settimeout(300)
                with connection:
                    assert await asyncio.to_thread(connection.recv, 65536)
                    searching.cancel()
                    with pytest.raises(asyncio.CancelledError):
                        await searching
                    # The end of the stream: the client has closed its side.
                    while await asyncio.to_thread(connection.recv, 65536):
                        pass
            assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


def test_an_add_that_is_cancelled_ends_its_tasks() -> None:
    """The batches that were under way are given up, and their connections closed."""

    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            silent.settimeout(300)
            url = f"http://127.0.0.1:{silent.getsockname()[1]}"
            async with AsyncClient(url, timeout_s=60) as client:
                limits = AddLimits(batch_images=1, concurrency=2)
                items = [NewItem(b"x") for _ in range(9)]
                adding = asyncio.create_task(client.add(items, limits=limits))
                first, _ = await asyncio.to_thread(silent.accept)
                second, _ = await asyncio.to_thread(silent.accept)
                adding.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await adding
                for connection in (first, second):
                    with connection:
                        connection.settimeout(300)
                        while await asyncio.to_thread(connection.recv, 65536):
                            pass
            assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


def test_waiting_for_a_server_that_never_comes_ends() -> None:
    """The message says what was tried."""

    async def main() -> None:
        # Bound, so that nobody else gets the port, but not listening.
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{silent.getsockname()[1]}"
            async with AsyncClient(url, retries=RetryRule(attempts=1)) as client:
                with pytest.raises(NotReadyError, match=r"was not ready after 0 s.*no connection"):
                    await client.wait_until_ready(0)
                with pytest.raises(SightlineError):
                    await client.gallery()

    asyncio.run(main())


def test_items_are_added_changed_and_deleted(empty_url: str) -> None:
    """The writing half, with label sets."""

    async def ask(client: AsyncClient) -> None:
        added = await client.add(
            [NewItem(picture_bytes(name), id=name) for name in COLOURS],
            limits=AddLimits(batch_images=2),
        )
        assert [result.status for result in added] == ["created"] * 6
        assert (await client.items.update("red", caption="new")).caption == "new"
        assert await client.items.delete(["red"]) == 1
        assert (await client.items.page(limit=2)).cursor is not None
        assert (await client.label_sets.save("pets", ["cat", "dog"])).version == 1

    run(empty_url, ask)
