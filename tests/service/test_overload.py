"""More requests than the service can do, at a rate that does not wait for answers."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from pathlib import Path

import httpx
import pytest

from tests.fakes import picture_bytes
from tests.service.small_server import servers

IMAGE_S = 0.01
CAPACITY = 1 / IMAGE_S
PHASE_S = 0.4
MAX_COST = 8
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def resident_bytes(pid: int) -> int:
    """Return the memory of a process."""
    text = Path(f"/proc/{pid}/statm").read_text(encoding="ascii")
    return int(text.split()[1]) * _PAGE_BYTES


async def offer(client: httpx.AsyncClient, rate: float) -> list[httpx.Response]:
    """Send searches by image at a fixed rate for a while, and return all answers."""

    async def ask(number: int) -> httpx.Response:
        await asyncio.sleep(number / rate)
        picture = picture_bytes((number % 256, number // 256, int(rate) % 256))
        return await client.post("/v1/search", files={"image": picture})

    return list(await asyncio.gather(*(ask(number) for number in range(int(rate * PHASE_S)))))


async def ask_until_answered(client: httpx.AsyncClient) -> httpx.Response:
    """Search until there is room: the last answers may still be on their way out."""
    async with asyncio.timeout(60):
        while True:
            answer = await client.post("/v1/search", files={"image": picture_bytes("red")})
            if answer.status_code != 429:
                return answer
            await asyncio.sleep(0.05)


async def watch(client: httpx.AsyncClient, seen: list[float]) -> None:
    """Note the cost in flight again and again."""
    while True:
        lines = (await client.get("/metrics")).text.splitlines()
        seen += [float(line.split()[1]) for line in lines if "cost_in_flight " in line[:30]]
        await asyncio.sleep(0.02)


@pytest.mark.slow
def test_overload_is_answered_by_429_alone(tmp_path: Path) -> None:
    """At 1, 2 and 4 times the capacity: 200 or 429 with Retry-After, bounded, then all is well."""

    async def work(address: str) -> tuple[list[httpx.Response], list[float]]:
        answers: list[httpx.Response] = []
        seen: list[float] = []
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(
            base_url=address, timeout=120, trust_env=False, verify=False, limits=limits
        ) as client:
            watching = asyncio.create_task(watch(client, seen))
            for factor in (1, 2, 4):
                answers += await offer(client, CAPACITY * factor)
            watching.cancel()
            last = await ask_until_answered(client)
        return [*answers, last], seen

    settings = {"max_cost": MAX_COST, "image_cache_entries": 0, "request_timeout_s": 120.0}
    with servers() as server:
        address = server.start(tmp_path, image_s=IMAGE_S, **settings)
        before = resident_bytes(server.pid)
        answers, seen = asyncio.run(work(address))
        grown = resident_bytes(server.pid) - before

    statuses = Counter(answer.status_code for answer in answers)
    assert set(statuses) <= {200, 429}
    assert answers[-1].status_code == 200
    refused = [answer for answer in answers if answer.status_code == 429]
    assert all(1 <= int(answer.headers["retry-after"]) <= 60 for answer in refused)
    assert {answer.json()["error"]["type"] for answer in refused} <= {"busy"}
    assert max(seen, default=0) <= MAX_COST
    assert grown < 200 * 2**20
