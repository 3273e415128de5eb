"""kill -9 of the whole server under mixed load: what was acknowledged is there afterwards."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from tests.fakes import picture_bytes
from tests.service.observing import wait_until_ready
from tests.service.small_server import servers

KILLS = 20
CLIENTS = 4
ANSWERS_BEFORE_THE_KILL = (3, 25)


@dataclass
class Journal:
    """What the clients were told, across all servers."""

    present: dict[str, bytes] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    answers: int = 0
    wanted: int = 0
    enough: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def expect(self, answers: int) -> None:
        """Set ``enough`` after so many more answers."""
        with self.lock:
            self.wanted = self.answers + answers
            self.enough.clear()

    def answered(self) -> None:
        """Count an answer; the lock is held."""
        self.answers += 1
        if self.answers >= self.wanted:
            self.enough.set()


def load(address: str, journal: Journal, name: str) -> None:
    """Add, delete and search until the server is gone, noting what was acknowledged."""
    chance = random.Random(name)
    with httpx.Client(base_url=address, timeout=60, trust_env=False, verify=False) as client:
        mine: list[str] = []
        for number in range(10_000):
            try:
                _one_request(client, journal, chance, mine, f"{name}-{number}")
            except httpx.TransportError:
                return


def _one_request(
    client: httpx.Client, journal: Journal, chance: random.Random, mine: list[str], item: str
) -> None:
    action = chance.random()
    if action < 0.2:
        assert client.get("/v1/search", params={"q": "a red car"}).status_code == 200
        with journal.lock:
            journal.answered()
    elif action < 0.4 and mine:
        old = mine.pop(chance.randrange(len(mine)))
        with journal.lock:
            picture = journal.present.pop(old)
            journal.unknown.add(old)
        assert client.delete(f"/v1/items/{old}").status_code == 200
        assert picture
        with journal.lock:
            journal.unknown.remove(old)
            journal.deleted.add(old)
            journal.answered()
    else:
        picture = picture_bytes(tuple(chance.randrange(256) for _ in range(3)))
        with journal.lock:
            journal.unknown.add(item)
        answer = client.post(
            "/v1/items", files={"image": picture}, data={"items": f'[{{"id": "{item}"}}]'}
        )
        assert answer.json()["results"][0]["status"] == "created"
        mine.append(item)
        with journal.lock:
            journal.unknown.remove(item)
            journal.present[item] = picture
            journal.answered()


def check(address: str, journal: Journal) -> None:
    """Compare what the server has with what the clients were told."""
    with httpx.Client(base_url=address, timeout=60, trust_env=False, verify=False) as client:
        wait_until_ready(client)
        found: dict[str, str] = {}
        cursor = None
        while True:
            query = {"limit": 1000, **({"cursor": cursor} if cursor else {})}
            page = client.get("/v1/items", params=query).json()
            found |= {item["id"]: item["image_url"] for item in page["items"]}
            cursor = page["cursor"]
            if cursor is None:
                break
        assert set(journal.present) <= set(found), "an acknowledged item is gone"
        assert not journal.deleted & set(found), "a deleted item is back"
        assert set(found) <= set(journal.present) | journal.unknown, "an item nobody added"
        assert client.get("/v1/gallery").json()["count"] == len(found)
        for item in random.Random(len(found)).sample(sorted(journal.present), k=min(5, len(found))):
            assert client.get(found[item]).content == journal.present[item]


@pytest.mark.slow
def test_no_acknowledged_item_is_lost_in_twenty_kills(tmp_path: Path) -> None:
    """The same gallery, killed twenty times between two answers: present, deleted, ready."""
    journal, chance = Journal(), random.Random(20)
    with servers() as server, ThreadPoolExecutor(CLIENTS) as clients:
        for kill in range(KILLS):
            address = server.start(tmp_path)
            check(address, journal)
            journal.expect(chance.randint(*ANSWERS_BEFORE_THE_KILL))
            working = [
                clients.submit(load, address, journal, f"{kill}-{number}")
                for number in range(CLIENTS)
            ]
            assert journal.enough.wait(300)
            server.kill()
            for future in working:
                future.result(300)
        check(server.start(tmp_path), journal)

    assert len(journal.present) > KILLS
