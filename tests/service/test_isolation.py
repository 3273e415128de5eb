"""Under concurrent load everybody gets their own answer, whatever the neighbours send."""

from __future__ import annotations

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from core.types import FloatArray, PixelArray
from tests.fakes import FakeEncoder, picture_bytes
from tests.service.running import COLOURS, add_colours, error_of, running

LABELS = list(COLOURS)
CLIENTS = 8


def test_bad_images_in_a_stream_harm_no_neighbour(colours: httpx.Client) -> None:
    """One in twenty images is cut short; all others get the right label, the bad ones 4xx."""
    random_numbers = random.Random(7)
    whole = {name: picture_bytes(name, size=(120, 90), format="JPEG") for name in COLOURS}
    jobs = [(random_numbers.choice(COLOURS), number % 20 == 3) for number in range(200)]

    def ask(job: tuple[str, bool]) -> None:
        name, is_bad = job
        data = whole[name][:-60] if is_bad else whole[name]
        answer = colours.post(
            "/v1/classify", files={"image": data}, data={"labels": LABELS, "top_k": "1"}
        )
        if is_bad:
            assert answer.status_code == 422
        else:
            assert answer.json()["results"][0]["label"] == name

    with ThreadPoolExecutor(CLIENTS) as clients:
        list(clients.map(ask, jobs))


def test_each_client_gets_its_own_answer(colours: httpx.Client) -> None:
    """Texts, images and embeddings mixed over many connections never cross."""
    direct = FakeEncoder()

    def ask(number: int) -> None:
        name = COLOURS[number % 6]
        if number % 3 == 0:
            found = colours.get("/v1/search", params={"q": f"{name} {number}", "k": 1})
            assert found.json()["hits"][0]["id"] == name
        elif number % 3 == 1:
            found = colours.post("/v1/search", files={"image": picture_bytes(name)})
            assert found.json()["hits"][0]["id"] == name
        else:
            text = f"thing {number}"
            found = colours.post("/v1/embeddings", json={"input": text})
            expected_D = direct.encode_texts([text])[0].tolist()
            assert found.json()["data"][0]["embedding"] == expected_D

    with ThreadPoolExecutor(CLIENTS) as clients:
        list(clients.map(ask, range(240)))


def test_writes_and_reads_go_on_together(empty: httpx.Client) -> None:
    """While pictures are added and deleted, every search answers and the count is right."""
    add_colours(empty)

    def work(number: int) -> None:
        if number % 3 == 0:
            shade = (number, 255 - number, 128)
            answer = empty.post("/v1/items", files={"image": picture_bytes(shade)})
            assert answer.json()["results"][0]["status"] == "created"
        else:
            assert empty.get("/v1/search", params={"q": "a red car"}).json()["hits"]

    with ThreadPoolExecutor(CLIENTS) as clients:
        list(clients.map(work, range(90)))

    assert empty.get("/v1/gallery").json()["count"] == 6 + 30


class GatedEncoder(FakeEncoder):
    """Waits at a gate before each image batch."""

    def __init__(self) -> None:
        """Start with the gate open."""
        super().__init__()
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()

    def encode_images(self, pixels_NSS3: PixelArray) -> FloatArray:
        """Wait, then embed."""
        self.entered.set()
        assert self.gate.wait(60)
        return super().encode_images(pixels_NSS3)


@pytest.fixture
def gated() -> GatedEncoder:
    """Return an encoder that can be held."""
    return GatedEncoder()


def test_a_full_queue_is_said_and_what_waits_is_answered(
    tmp_path: Path, gated: GatedEncoder
) -> None:
    """With one image running and two waiting the fourth gets 429; the three get their labels."""

    def ask(client: httpx.Client, shade: int) -> httpx.Response:
        # Equal images would share one computation.
        picture = picture_bytes((200 + shade, 20, 20))
        return client.post("/v1/classify", files={"image": picture}, data={"labels": LABELS})

    limits = {"max_queued_images": 2, "max_batch_images": 1, "retry_after_s": 2}
    with (
        running(tmp_path, encoder=gated, **limits) as client,
        ThreadPoolExecutor(3) as clients,
    ):
        gated.gate.clear()
        running_one = clients.submit(ask, client, 0)
        assert gated.entered.wait(60)
        waiting = [clients.submit(ask, client, shade) for shade in (1, 2)]
        deadline = time.monotonic() + 60
        while "sightline_queued_images 2.0" not in client.get("/metrics").text:
            assert time.monotonic() < deadline
        refused = ask(client, 3)
        gated.gate.set()
        answers = [future.result(60) for future in (running_one, *waiting)]

    assert error_of(refused, 429)["type"] == "busy"
    assert refused.headers["retry-after"] == "2"
    assert [a.json()["results"][0]["label"] for a in answers] == ["red"] * 3


def test_a_late_answer_is_504_and_the_next_one_is_fine(tmp_path: Path, gated: GatedEncoder) -> None:
    """A request that waits too long is told so; its work does not block the others."""
    soon = {"X-Request-Timeout": "0.3"}
    with running(tmp_path, encoder=gated) as client:
        gated.gate.clear()
        late = client.post("/v1/search", files={"image": picture_bytes("red")}, headers=soon)
        gated.gate.set()
        fine = client.post("/v1/search", files={"image": picture_bytes("red")})

    assert error_of(late, 504)["code"] == "deadline"
    assert fine.status_code == 200
