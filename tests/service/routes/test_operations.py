"""Health, readiness, metrics, documentation, the page, and the shape of unknown routes."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest

from core.types import FloatArray
from tests.fakes import FakeEncoder, picture_bytes
from tests.service.observing import wait_until, wait_until_ready
from tests.service.running import add_colours, error_of, running


class FailingEncoder(FakeEncoder):
    """Works until it is told to fail or to hang."""

    def __init__(self) -> None:
        """Start healthy."""
        super().__init__()
        self.fails = False
        self.gate = threading.Event()
        self.gate.set()

    def encode_texts(self, texts: Sequence[str]) -> FloatArray:
        """Fail, or wait at the gate."""
        assert self.gate.wait(60)
        if self.fails:
            raise RuntimeError("out of memory")
        return super().encode_texts(texts)


def test_a_healthy_service_is_alive_and_ready(colours: httpx.Client) -> None:
    """Liveness is static; readiness names the model."""
    assert colours.get("/healthz").json() == {"status": "ok"}
    wait_until_ready(colours)
    ready = colours.get("/readyz").json()
    assert (ready["status"], ready["model"]) == ("ready", FakeEncoder().encoder_id)


def test_an_empty_gallery_is_ready(empty: httpx.Client) -> None:
    """Nothing to find is no failure."""
    wait_until_ready(empty)
    assert empty.get("/v1/search?q=red").json()["hits"] == []


def test_a_model_that_fails_is_not_ready_but_alive(tmp_path: Path) -> None:
    """The canary goes through the model; when it recovers, so does readiness."""
    encoder = FailingEncoder()
    with running(tmp_path, encoder=encoder) as client:
        encoder.fails = True
        answer = client.get("/readyz")
        failed = client.get("/v1/search?q=sky")

        assert "out of memory" in error_of(answer, 503)["message"]
        assert answer.headers["retry-after"] == "1"
        assert error_of(failed, 503)["type"] == "encoder"
        assert client.get("/healthz").status_code == 200
        encoder.fails = False
        wait_until_ready(client)


def test_a_stuck_model_turns_readiness_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hanging model call costs readiness its time limit, and requests their deadline."""
    monkeypatch.setattr("service.routes.health.CANARY_TIMEOUT_S", 0.1)
    encoder = FailingEncoder()
    soon = {"X-Request-Timeout": "0.5"}
    with running(tmp_path, encoder=encoder) as client:
        encoder.gate.clear()
        assert "did not answer" in error_of(client.get("/readyz"), 503)["message"]
        error_of(client.get("/v1/search?q=sky", headers=soon), 504)
        assert client.get("/healthz").status_code == 200
        encoder.gate.set()
        assert client.get("/v1/search?q=sky").status_code == 200


def test_metrics_count_what_happened(empty: httpx.Client) -> None:
    """Requests by route, stages, batches, rejections and the size of the gallery."""
    add_colours(empty)
    empty.get("/v1/search", params={"q": "private words"})
    empty.get("/v1/search", params={"q": "x", "k": 0})
    empty.get("/nowhere/private")
    # A batch is counted right behind the answers to it.
    wait_until(lambda: 'sightline_batch_size_count{lane="text"}' in empty.get("/metrics").text)
    answer = empty.get("/metrics")
    text = answer.text

    assert answer.headers["content-type"].startswith("text/plain")
    assert 'sightline_requests_total{method="GET",route="/v1/search",status="200"} 1.0' in text
    assert 'sightline_requests_total{method="GET",route="/v1/search",status="422"} 1.0' in text
    assert 'sightline_requests_total{method="GET",route="unmatched",status="404"} 1.0' in text
    assert 'sightline_rejections_total{code="out_of_range"} 1.0' in text
    assert "sightline_gallery_items 6.0" in text
    for stage in ("decode", "search", "add"):
        assert f'sightline_stage_seconds_count{{stage="{stage}"}}' in text
    for lane in ("text", "image"):
        assert f'sightline_batch_size_count{{lane="{lane}"}}' in text
    assert "sightline_queued_images 0.0" in text
    assert "private" not in text


def test_the_gallery_says_what_it_is(colours: httpx.Client) -> None:
    """Count, dimension and encoder."""
    gallery = colours.get("/v1/gallery").json()

    assert gallery == {
        "count": 6,
        "dimension": 8,
        "encoder_id": FakeEncoder().encoder_id,
        "model": "fake",
        "index": "flat",
        "coverage": 1.0,
        "fields": [],
        "wires": ["clip-retrieval", "immich"],
        "read_only": False,
        "limits": {
            "images": 64,
            "body_bytes": 67_108_864,
            "image_bytes": 20_971_520,
            "image_pixels": 40_000_000,
            "formats": ["JPEG", "PNG", "WEBP", "GIF", "BMP"],
        },
    }


def test_the_documentation_comes_from_this_machine(colours: httpx.Client) -> None:
    """Page, script and style are served here, and no inline script needs a hole in the policy."""
    page = colours.get("/docs")
    script = colours.get("/docs/swagger-ui-bundle.js")

    assert "http" not in page.text.replace("http-equiv", "")
    assert "<script>" not in page.text
    assert script.headers["content-type"].startswith("text/javascript")
    assert "SwaggerUIBundle" in script.text
    assert colours.get("/docs/swagger-ui.css").headers["content-type"].startswith("text/css")
    assert "/openapi.json" in colours.get("/docs/start.js").text
    error_of(colours.get("/docs/redoc.standalone.js"), 404)


def test_the_openapi_document_resolves(colours: httpx.Client) -> None:
    """Every reference points to a schema, every route has a summary and an example or a type."""
    document = colours.get("/openapi.json").json()
    schemas = document["components"]["schemas"]

    def references(node: object) -> set[str]:
        if isinstance(node, dict):
            own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
            return own.union(*(references(value) for value in node.values()))
        if isinstance(node, list):
            return set().union(*(references(value) for value in node))
        return set()

    found = references(document)
    assert {name.removeprefix("#/components/schemas/") for name in found} <= set(schemas)
    assert {"ClassifyRequest", "SearchRequest", "AddRequest", "Error"} <= set(schemas)
    for path, methods in document["paths"].items():
        for operation in methods.values():
            assert operation["summary"], path
            assert operation["responses"]["200"]["content"], path


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/v1/items/a/b/c", 404),
        ("GET", "/static/nothing.js", 404),
        ("GET", "/static/../settings.py", 404),
        ("GET", "/static/%2e%2e%2fsettings.py", 404),
        ("PUT", "/v1/search", 405),
        ("DELETE", "/v1/gallery", 405),
    ],
)
def test_unknown_routes_and_methods_have_the_same_shape(
    colours: httpx.Client, method: str, path: str, status: int
) -> None:
    """404 and 405 are errors like all others."""
    error_of(colours.request(method, path), status)


def test_other_origins_need_permission(tmp_path: Path) -> None:
    """Only a listed origin gets the headers that let its pages read answers."""
    with running(tmp_path, cors_origins=["https://shop.example"]) as client:
        listed = client.get("/v1/gallery", headers={"Origin": "https://shop.example"})
        other = client.get("/v1/gallery", headers={"Origin": "https://evil.example"})
        preflight = client.options(
            "/v1/search",
            headers={
                "Origin": "https://shop.example",
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "content-type",
            },
        )

        assert listed.headers["access-control-allow-origin"] == "https://shop.example"
        assert "access-control-allow-origin" not in other.headers
        assert preflight.status_code == 200


def test_a_body_over_the_limit_is_refused(tmp_path: Path) -> None:
    """With and without a length, as JSON and as a form; the service goes on."""
    with running(tmp_path, max_body_bytes=10_000) as client:
        form = client.post("/v1/items", files={"image": b"x" * 20_000})
        stream = client.post(
            "/v1/search",
            content=(b" " * 1000 for _ in range(20)),
            headers={"content-type": "application/json"},
        )

        assert error_of(form, 413)["code"] == "body_too_large"
        assert error_of(stream, 413)["code"] == "body_too_large"
        assert client.post("/v1/items", files={"image": picture_bytes("red")}).status_code == 200


@pytest.mark.parametrize(
    ("changes", "size", "status"),
    [
        ({"max_image_pixels": 1000}, (40, 40), 413),
        ({"max_image_side": 100}, (200, 2), 413),
        ({"max_image_bytes": 50}, (40, 40), 413),
        ({"image_formats": ["JPEG"]}, (40, 40), 415),
    ],
)
def test_the_image_limits_are_settings(
    tmp_path: Path, changes: dict[str, object], size: tuple[int, int], status: int
) -> None:
    """Pixels, side, bytes and formats: adding, searching and labels refuse alike."""
    data = picture_bytes("red", size=size)
    with running(tmp_path, **changes) as client:
        answers = [
            client.post("/v1/items", files={"image": data}),
            client.post("/v1/search", files={"image": data}),
            client.post("/v1/classify", files={"image": data}, data={"labels": ["a", "b"]}),
        ]

    assert [error_of(answer, status)["type"] for answer in answers] == ["invalid_image"] * 3
