"""immich's wire: the very bytes that its server sends, and the answers that it reads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from tests.fakes import FakeEncoder, picture_bytes
from tests.service.running import error_of, running

NAME = "ViT-B-32__openai"
BOUNDARY = "----formdata-undici-029471625183"
VISUAL = {"clip": {"visual": {"modelName": NAME}}}
TEXTUAL = {"clip": {"textual": {"modelName": NAME, "options": {"language": "en-GB"}}}}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Serve a model that stands for one of immich's list."""
    with running(tmp_path_factory.mktemp("immich"), immich_models=(NAME,)) as client:
        yield client


def part(name: str, data: bytes, *, is_file: bool = False) -> bytes:
    """Return one part as the HTTP client of Node writes it."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"'
    head += '; filename="blob"\r\nContent-Type: application/octet-stream' if is_file else ""
    return head.encode() + b"\r\n\r\n" + data + b"\r\n"


def predict(service: httpx.Client, entries: Any, *parts: bytes) -> httpx.Response:
    """Send a form as immich does, headers included."""
    text = entries if isinstance(entries, str) else json.dumps(entries, separators=(",", ":"))
    body = part("entries", text.encode()) + b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()
    headers = {"content-type": f"multipart/form-data; boundary={BOUNDARY}", "accept": "*/*"}
    return service.post("/predict", content=body, headers=headers)


def vector_of(answer: httpx.Response) -> Any:
    """Return the vector, which is the text of a JSON array."""
    assert answer.status_code == 200, answer.text
    text = answer.json()["clip"]
    assert isinstance(text, str)
    return np.float32(json.loads(text))


def test_a_text_is_the_vector_of_the_encoder(service: httpx.Client) -> None:
    """To the last bit, as the text of a JSON array and nothing else."""
    answer = predict(service, TEXTUAL, part("text", b"a red car"))

    np.testing.assert_array_equal(vector_of(answer), FakeEncoder().encode_texts(["a red car"])[0])
    assert list(answer.json()) == ["clip"]


def test_an_image_comes_with_its_size(service: httpx.Client) -> None:
    """Height and width as immich names them."""
    picture = picture_bytes("red", size=(40, 30), format="JPEG")
    answer = predict(service, VISUAL, part("image", picture, is_file=True))

    assert sorted(answer.json()) == ["clip", "imageHeight", "imageWidth"]
    assert (answer.json()["imageHeight"], answer.json()["imageWidth"]) == (30, 40)
    assert vector_of(answer) @ FakeEncoder().encode_texts(["red"])[0] > 0.98


def test_liveness_and_root_are_those_that_immich_asks_for(service: httpx.Client) -> None:
    """``/ping`` is plain text; the root is JSON where no HTML is accepted, else the page."""
    ping = service.get("/ping")
    root = service.get("/", headers={"accept": "application/json"})

    assert (ping.text, ping.headers["content-type"]) == ("pong", "text/plain; charset=utf-8")
    assert root.json() == {"message": "Sightline"}
    for accepted in ("text/html,application/xhtml+xml,*/*;q=0.8", "*/*"):
        page = service.get("/", headers={"accept": accepted})
        assert page.headers["content-type"].startswith("text/html")


def test_texts_and_images_at_once_get_their_own_answers(service: httpx.Client) -> None:
    """Jobs of immich run side by side: none gets the vector of another."""

    def ask(place: int) -> float:
        colour = ("red", "green", "blue")[place % 3]
        expected_D = FakeEncoder().encode_texts([colour])[0]
        if place % 2:
            answer = predict(service, TEXTUAL, part("text", colour.encode()))
        else:
            picture = part("image", picture_bytes(colour), is_file=True)
            answer = predict(service, VISUAL, picture)
        return float(vector_of(answer) @ expected_D)

    with ThreadPoolExecutor(8) as pool:
        assert min(pool.map(ask, range(48))) > 0.98


def test_a_name_that_is_not_ours_is_refused(tmp_path: Path) -> None:
    """Another model's name would mean another model's vectors; the message names the setting."""
    with running(tmp_path) as service:
        error = error_of(predict(service, TEXTUAL, part("text", b"red")), 404)
        own = predict(service, {"clip": {"textual": {"modelName": "fake"}}}, part("text", b"red"))

    assert error["code"] == "model_not_found"
    assert "immich_models" in error["message"]
    assert own.status_code == 200


@pytest.mark.parametrize(
    ("entries", "parts", "status", "param"),
    [
        ("{", (), 400, "entries"),
        ("[]", (), 400, None),
        ("{}", (), 400, "clip"),
        ({"clip": {}}, (), 400, "entries.clip"),
        ({"clip": {**VISUAL["clip"], **TEXTUAL["clip"]}}, (), 400, "entries.clip"),
        ({"clip": {"visual": {}}}, (), 400, "clip.visual.modelName"),
        (VISUAL, (), 400, "image"),
        (TEXTUAL, (), 400, "text"),
        (VISUAL, (part("image", b"", is_file=True),), 422, "image"),
        (VISUAL, (part("image", b"junk", is_file=True),), 415, "image"),
        (TEXTUAL, (part("text", b"x" * 5000),), 422, "text"),
        (TEXTUAL, (part("text", b"a"), part("text", b"b")), 400, "text"),
        ({"facial-recognition": {"detection": {"modelName": "buffalo_l"}}}, (), 400, "entries"),
        ({"ocr": {}}, (), 400, "entries"),
    ],
)
def test_what_cannot_be_embedded_is_refused(
    service: httpx.Client, entries: Any, parts: tuple[bytes, ...], status: int, param: str | None
) -> None:
    """An empty picture costs immich's own server a 500; here each mistake says what it is."""
    assert error_of(predict(service, entries, *parts), status)["param"] == param


def test_faces_are_not_answered_with_none(service: httpx.Client) -> None:
    """An empty list would tell immich that the picture has no faces."""
    entries = {"facial-recognition": {"detection": {"modelName": "buffalo_l"}}}
    error = error_of(predict(service, entries, part("image", b"x", is_file=True)), 400)

    assert error["code"] == "unsupported_task"


def test_other_bodies_are_refused(service: httpx.Client) -> None:
    """A form without entries, and JSON."""
    assert error_of(service.post("/predict", json=TEXTUAL), 415)
    assert error_of(service.post("/predict", files={"image": b"x"}), 400)["param"] == "entries"
