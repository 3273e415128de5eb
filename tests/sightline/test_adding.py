"""Rules of adding many images: batches, order, bad items, progress."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from core.errors import BusyError, ConfigError, NotFoundError, ServerError, UsageError
from sightline.adding import (
    AddLimits,
    AddProgress,
    LoadedItem,
    NewItem,
    add_call,
    batches,
    halves,
    parts,
)
from sightline.answers import ItemResult
from sightline.async_client import AsyncClient
from sightline.client import Client
from sightline.retries import RetryRule
from tests.fakes import picture_bytes
from tests.service.running import running
from tests.sightline.scripted import DROP, answer, error, scripted

CREATED = answer(200, {"results": [{"id": "a", "status": "created", "error": None}]})
QUICK = RetryRule(attempts=3, first_wait_s=0.0)


def picture(number: int) -> bytes:
    """Return a picture of its own."""
    return picture_bytes((number // 256, number % 256, 7), size=(8, 8))


def add_sync(url: str, items: Sequence[NewItem], **options: object) -> list[ItemResult]:
    """Add through the client that waits."""
    with Client(url, retries=QUICK) as client:
        return client.add(items, **options)  # type: ignore[arg-type]


def add_async(url: str, items: Sequence[NewItem], **options: object) -> list[ItemResult]:
    """Add through the client that is awaited."""

    async def main() -> list[ItemResult]:
        async with AsyncClient(url, retries=QUICK) as client:
            return await client.add(items, **options)  # type: ignore[arg-type]

    return asyncio.run(main())


ADDERS = pytest.mark.parametrize("add", [add_sync, add_async], ids=["sync", "async"])
Adder = Callable[..., list[ItemResult]]


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """Serve an empty gallery that takes few images a request."""
    with running(tmp_path, max_images=4) as http:
        yield str(http.base_url)


def test_batches_are_cut_without_reading_an_image() -> None:
    """In order, the last one shorter; an image alone is an item."""

    def never() -> bytes:
        raise AssertionError("read too early")

    found = list(batches([never, NewItem(never, id="b"), never], AddLimits(batch_images=2)))

    assert [len(batch) for batch in found] == [2, 1]
    assert found[0][1].id == "b"


def test_a_part_ends_where_a_request_would_grow_too_large() -> None:
    """10 bytes at most: 4 + 6, then 7, then 11 alone because it is one image."""
    batch = [NewItem(bytes(size)) for size in (4, 6, 7, 11, 1)]

    found = [
        [len(loaded.data) for loaded in part if isinstance(loaded.data, bytes)]
        for part in parts(batch, AddLimits(batch_bytes=10))
    ]

    assert found == [[4, 6], [7], [11], [1]]


def test_a_part_is_read_only_when_it_is_asked_for() -> None:
    """So the memory is that of the parts under way, not that of all files."""
    read: list[int] = []

    def reader(number: int) -> Callable[[], bytes]:
        return lambda: bytes(8) if read.append(number) is None else b""

    found = parts([NewItem(reader(number)) for number in range(4)], AddLimits(batch_bytes=8))
    next(found)

    assert read == [0, 1]


def test_an_image_that_cannot_be_read_is_not_sent() -> None:
    """Where none of a part can be read there is no request at all."""
    missing = LoadedItem(NewItem("/nowhere.png"), NotFoundError("gone"))

    assert add_call([missing]) is None


def test_each_request_has_a_key_of_its_own() -> None:
    """Attempts of one call share it; another call never does."""
    part = [LoadedItem(NewItem(b"x"), b"x")]
    first, second = add_call(part), add_call(part)

    assert first is not None
    assert second is not None
    assert first.headers["Idempotency-Key"] != second.headers["Idempotency-Key"]


def test_only_a_refusal_of_what_was_sent_is_looked_into() -> None:
    """Halving a batch that the server had no room for would only add to its load."""
    part = [LoadedItem(NewItem(b"x"), b"x")] * 3
    refused, busy = UsageError("no"), BusyError("busy")
    refused.status, busy.status = 422, 429

    assert [len(half) for half in halves(part, refused)] == [1, 2]
    assert halves(part[:1], refused) == []
    with pytest.raises(BusyError):
        halves(part, busy)


@ADDERS
def test_results_come_in_order_with_progress(add: Adder, url: str) -> None:
    """Whatever batch is answered first; progress counts whole batches."""
    seen: list[int] = []
    items = [NewItem(picture(number), id=f"{number:02}") for number in range(20)]

    def progress(done: AddProgress) -> None:
        seen.append(done.done)
        assert threading.current_thread() is threading.main_thread()

    limits = AddLimits(batch_images=3, concurrency=3)
    results = add(url, items, limits=limits, progress=progress)

    assert [result.id for result in results] == [item.id for item in items]
    assert {result.status for result in results} == {"created"}
    assert seen == [3, 6, 9, 12, 15, 18, 20]


@ADDERS
def test_adding_again_changes_nothing(add: Adder, url: str) -> None:
    """What is there is answered as unchanged, so an interrupted run is simply repeated."""
    items = [NewItem(picture(number), id=str(number)) for number in range(6)]
    add(url, items[:4], limits=AddLimits(batch_images=2))

    again = add(url, items, limits=AddLimits(batch_images=2))

    assert [result.status for result in again] == ["unchanged"] * 4 + ["created"] * 2


@ADDERS
def test_a_bad_item_harms_no_other(add: Adder, url: str) -> None:
    """A broken picture, a missing file and an id that no gallery takes; each is named in place.

    The batch of ten is also more than this service takes at a time (4), so it is halved.
    """
    items = [NewItem(picture(number), id=str(number)) for number in range(10)]
    items[2] = NewItem(b"junk", id="2")
    items[5] = NewItem("/nowhere.png", id="5")
    items[7] = NewItem(picture(7), id="x" * 600)

    results = add(url, items, limits=AddLimits(batch_images=10))

    assert [result.status == "error" for result in results] == [
        place in {2, 5, 7} for place in range(10)
    ]
    assert [result.error.code for result in results if result.error is not None] == [
        "image_unsupported",
        "not_found",
        "out_of_range",
    ]
    assert results[2].id == "2"


@ADDERS
def test_a_request_that_is_sent_again_carries_the_same_key(add: Adder) -> None:
    """Dropped, then still in work, then answered: the service does it once."""
    in_use = error(409, "idempotency_key_in_use")

    with scripted(DROP, in_use, CREATED) as server:
        (result,) = add(server.url, [NewItem(b"x")])

    keys = server.headers("Idempotency-Key")
    assert result.status == "created"
    assert len(keys) == 3
    assert len(set(keys)) == 1


@ADDERS
def test_what_was_answered_before_a_failure_is_yielded(add: Adder) -> None:
    """The server goes away for good: the error of the second batch ends the adding."""
    with scripted(CREATED, DROP) as server, pytest.raises(ServerError):
        add(server.url, [NewItem(b"x")] * 2, limits=AddLimits(batch_images=1, concurrency=1))

    assert len(server.requests) == 1 + QUICK.attempts


def test_a_stream_that_is_left_sends_no_more(url: str) -> None:
    """Closing it ends the threads; what is under way is finished, the rest never read."""
    read: list[int] = []

    def reader(number: int) -> Callable[[], bytes]:
        def read_it() -> bytes:
            read.append(number)
            return picture(number)

        return read_it

    items = (NewItem(reader(number)) for number in range(1000))
    with Client(url) as client:
        stream = client.add_stream(items, limits=AddLimits(batch_images=2, concurrency=2))
        assert next(stream).status == "created"
        stream.close()

    assert len(read) <= 6
    assert not [t for t in threading.enumerate() if t.name.startswith("sightline-add")]


def test_a_stream_that_waits_for_a_retry_is_left_at_once() -> None:
    """Closing it does not sit out the waits of its retries."""
    busy = error(429, "busy", {"Retry-After": "600"})

    with scripted(lambda request: CREATED if b"first" in request else busy) as server:
        rule = RetryRule(attempts=2, longest_wait_s=1000)
        with Client(server.url, retries=rule) as client:
            limits = AddLimits(batch_images=1, concurrency=2)
            stream = client.add_stream([b"first", b"second"], limits=limits)
            assert next(stream).status == "created"
            stream.close()

    assert len(server.requests) <= 2


@pytest.mark.parametrize("values", [{"batch_images": 0}, {"batch_bytes": 0}, {"concurrency": 0}])
def test_limits_that_cannot_work_are_refused(values: dict[str, int]) -> None:
    """Each of them is at least 1."""
    with pytest.raises(ConfigError, match="at least 1"):
        AddLimits(**values)
