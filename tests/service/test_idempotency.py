"""Repeated requests with the same key, over a real collection that keeps the receipts."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import httpx
import pytest

from core.errors import ConflictError, StorageError, UsageError
from core.types import JSONObject
from index.gallery import Gallery, NewImage
from index.receipts import Receipt, find_receipt
from service.idempotency import IdempotencyKeys, RepeatableRequest
from tests.fakes import FakeEncoder, picture_bytes
from tests.service.running import running

ROOT = Path(__file__).parent.parent.parent
A = RepeatableRequest("a", "body")


class Memory:
    """Keeps receipts as a collection does, and counts how often a request acts."""

    def __init__(self) -> None:
        """Start empty."""
        self.receipts: dict[str, Receipt] = {}
        self.count = 0

    def act(self, request: RepeatableRequest) -> JSONObject:
        """Act once more and keep the answer."""
        self.count += 1
        answer: JSONObject = {"count": self.count}
        self.receipts[request.key] = Receipt(request.key, request.digest, json.dumps(answer))
        return answer

    def once(self, keys: IdempotencyKeys, request: RepeatableRequest) -> JSONObject:
        """Act under the key."""
        return keys.once(request, partial(self.act, request))


def test_the_second_request_gets_the_first_answer() -> None:
    """It acts once for one key, and again for another."""
    memory = Memory()
    keys = IdempotencyKeys(memory.receipts.get)

    assert memory.once(keys, A) == {"count": 1}
    assert memory.once(keys, A) == {"count": 1}
    assert memory.once(keys, RepeatableRequest("b", "body")) == {"count": 2}


def test_another_body_under_the_same_key_is_a_conflict() -> None:
    """A key stands for one request."""
    memory = Memory()
    keys = IdempotencyKeys(memory.receipts.get)
    memory.once(keys, A)

    with pytest.raises(ConflictError, match="another body"):
        memory.once(keys, RepeatableRequest("a", "other"))


def test_a_request_that_is_still_running_is_a_conflict() -> None:
    """Two at once must not both act."""
    keys = IdempotencyKeys(lambda _: None)

    def act() -> JSONObject:
        with pytest.raises(ConflictError, match="still running"):
            keys.once(A, dict)
        with pytest.raises(ConflictError, match="another body"):
            keys.once(RepeatableRequest("a", "other"), dict)
        return {"done": True}

    assert keys.once(A, act) == {"done": True}


def test_a_failed_request_can_be_repeated() -> None:
    """A failure leaves no trace."""
    memory = Memory()
    keys = IdempotencyKeys(memory.receipts.get)

    def fail() -> JSONObject:
        raise StorageError("no")

    with pytest.raises(StorageError):
        keys.once(A, fail)
    assert memory.once(keys, A) == {"count": 1}


@pytest.mark.parametrize("key", ["", "x" * 256, "\u00e9", "a\nb"])
def test_a_key_is_short_printable_ascii(key: str) -> None:
    """Longer ones would be a way to fill the disk."""
    with pytest.raises(UsageError, match="1 to 255"):
        IdempotencyKeys(lambda _: None).once(RepeatableRequest(key, "body"), dict)


def test_a_receipt_is_there_where_the_items_are(tmp_path: Path) -> None:
    """It is made of the results of all pictures and found after the collection was closed."""
    with Gallery.open(tmp_path, FakeEncoder()) as gallery:
        prepared = [gallery.prepare(NewImage(data)) for data in (picture_bytes("red"), b"junk")]
        gallery.store(
            prepared,
            receipt=lambda results: Receipt("k", "d", " ".join(str(one.status) for one in results)),
        )

    with Gallery.open(tmp_path, FakeEncoder()) as gallery:
        assert find_receipt(gallery.collection.store, "k") == Receipt("k", "d", "created error")
        assert find_receipt(gallery.collection.store, "other") is None


def test_what_is_not_stored_leaves_no_receipt(tmp_path: Path) -> None:
    """A receipt that fails takes the items of its transaction with it."""

    def refuse(results: object) -> Receipt:
        raise StorageError("no receipt")

    with Gallery.open(tmp_path, FakeEncoder()) as gallery:
        prepared = [gallery.prepare(NewImage(picture_bytes("red"), id="a"))]
        with pytest.raises(StorageError, match="no receipt"):
            gallery.store(prepared, receipt=refuse)

        assert gallery.collection.count() == 0
        assert find_receipt(gallery.collection.store, "k") is None


def test_old_receipts_are_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The number that is kept is bounded."""
    monkeypatch.setattr("index.receipts.MOST_RECEIPTS", 2)
    with Gallery.open(tmp_path, FakeEncoder()) as gallery:
        for key in "abc":
            prepared = [gallery.prepare(NewImage(picture_bytes("red"), id=key))]
            gallery.store(prepared, receipt=lambda _, key=key: Receipt(key, "d", "{}"))
        kept = [key for key in "abc" if find_receipt(gallery.collection.store, key)]

    assert kept == ["b", "c"]


def test_the_first_answer_outlives_the_process(tmp_path: Path) -> None:
    """After a restart the same key and body answer "created" again, another body is refused."""
    item = {"image": base64.b64encode(picture_bytes("red")).decode(), "id": "a"}
    key = {"Idempotency-Key": "order-1"}
    with running(tmp_path) as client:
        first = client.post("/v1/items", json={"items": [item]}, headers=key)
    with running(tmp_path) as client:
        again = client.post("/v1/items", json={"items": [item]}, headers=key)
        other = client.post("/v1/items", json={"items": [{**item, "id": "b"}]}, headers=key)

    assert first.json() == {"results": [{"id": "a", "status": "created", "error": None}]}
    assert again.json() == first.json()
    assert other.status_code == 409


@pytest.mark.slow
def test_a_retry_after_a_crash_gets_the_first_answer(tmp_path: Path) -> None:
    """The process dies between commit and answer: the repeated request hears "created" too.

    Without a receipt it would hear "unchanged", as if another had added the item.
    """
    item = {"image": base64.b64encode(picture_bytes("red")).decode(), "id": "a"}
    key = {"Idempotency-Key": "order-1"}
    command = [sys.executable, "-m", "tests.service.dying_server", str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            address = server.stdout.readline().strip()
            with (
                httpx.Client(base_url=address, timeout=60, trust_env=False) as client,
                pytest.raises(httpx.TransportError),
            ):
                client.post("/v1/items", json={"items": [item]}, headers=key)
        finally:
            server.kill()

    with running(tmp_path) as client:
        again = client.post("/v1/items", json={"items": [item]}, headers=key)
        without = client.post("/v1/items", json={"items": [item]})

    assert again.json()["results"][0]["status"] == "created"
    assert without.json()["results"][0]["status"] == "unchanged"
