"""Rules of ``GET /v1/health``: what an operator asks first, from the numbers of the metrics."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from encoders.folder import open_model_folder
from encoders.loading import STARTER_MODEL
from encoders.openvino_runtime import OpenVINOEncoder
from encoders.tower_plan import untuned_plan
from index.failures import Failure, RecordFailures
from index.gallery import Gallery
from index.items import FileStamp
from service.running_model import RunningModel
from tests.fakes import FakeEncoder, picture_bytes
from tests.service.closed_gallery import bearer
from tests.service.observing import wait_until
from tests.service.routes.test_operations import FailingEncoder
from tests.service.running import add_colours, error_of, running


def health(client: httpx.Client) -> dict[str, Any]:
    """Return the answer."""
    answer = client.get("/v1/health")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.fixture
def failed(tmp_path: Path) -> Iterator[httpx.Client]:
    """Serve a gallery in which two files could not be added."""
    with Gallery.open(tmp_path / "gallery", FakeEncoder()) as gallery:
        failures = [
            Failure(FileStamp(f"/p/{name}.jpg", 1, 1), code, "why", lasting=True, failed_ms=when)
            for name, code, when in (("a", "image_empty", 5), ("b", "image_truncated", 9))
        ]
        gallery.collection.write(RecordFailures(failures))
    with running(tmp_path) as client:
        yield client


def test_it_says_what_is_served_and_how(colours: httpx.Client) -> None:
    """Gallery, index, disk, process, model."""
    found = health(colours)

    assert found["ready"] == {"ok": True, "reason": None}
    assert found["gallery"]["items"] == 6
    assert found["gallery"]["coverage"] == 1.0
    index = found["index"]
    assert (index["kind"], index["exact"], index["base"] + index["delta"]) == ("flat", True, 6)
    assert found["disk"]["images_bytes"] > 0
    assert found["disk"]["free_bytes"] <= found["disk"]["total_bytes"]
    assert found["process"]["started_ms"] <= found["now_ms"]
    model = found["model"]
    assert (model["name"], model["dimension"], model["calibrated"]) == ("fake", 8, False)
    assert model["card"] is None


def test_requests_are_counted_by_route_and_status(tmp_path: Path) -> None:
    """The histogram of a route adds up, and refusals have their code."""
    with running(tmp_path) as client:
        add_colours(client)
        client.get("/v1/search?q=red&k=0")
        for _ in range(3):
            client.get("/v1/search?q=red")

        def seen() -> bool:
            # A request is counted a moment after its answer.
            routes = {one["route"]: one for one in health(client)["requests"]["routes"]}
            return bool(routes.get("/v1/search", {}).get("count") == 4)

        wait_until(seen)
        requests = health(client)["requests"]
        search = next(one for one in requests["routes"] if one["route"] == "/v1/search")

        assert search["buckets"][-1] == 4
        assert len(search["buckets"]) == len(requests["bounds_s"]) + 1
        assert requests["by_status"]["422"] == 1
        assert requests["refused"] == {"out_of_range": 1}


def test_lanes_caches_and_writes_are_those_of_the_work_done(tmp_path: Path) -> None:
    """Six images in, one text asked twice, one picture refused."""
    with running(tmp_path) as client:
        add_colours(client)
        for _ in range(2):
            client.get("/v1/search?q=red")
        broken = picture_bytes("red", size=(400, 300), format="JPEG")[:700]
        error_of(client.post("/v1/items", files={"image": ("x.jpg", broken)}), 422)
        found = health(client)

        lanes = {lane["lane"]: lane for lane in found["lanes"]}
        assert lanes["image"]["inputs"] == 6
        assert lanes["image"]["queued"] == 0
        caches = {cache["name"]: cache for cache in found["caches"]}
        assert (caches["text"]["hits"], caches["text"]["misses"]) == (1, 1)
        assert found["writes"]["commits"] >= 1
        assert (found["writes"]["errors"], found["writes"]["waiting"]) == (0, 0)
        assert found["requests"]["images_refused"] == {"image_truncated": 1}


def test_files_that_failed_are_named_with_their_reason(failed: httpx.Client) -> None:
    """The newest first, and all of them by code."""
    failures = health(failed)["failures"]

    assert failures["count"] == 2
    assert failures["codes"] == {"image_empty": 1, "image_truncated": 1}
    assert [one["path"] for one in failures["latest"]] == ["/p/b.jpg", "/p/a.jpg"]
    assert failures["latest"][0]["message"] == "why"


def test_it_needs_the_operators_key(closed: httpx.Client) -> None:
    """Paths of files and the load are not for everybody who may search."""
    assert closed.get("/v1/health").status_code == 401
    assert error_of(closed.get("/v1/health", headers=bearer("write")), 403)["code"] == "scope"
    assert closed.get("/v1/health", headers=bearer("admin")).status_code == 200


@pytest.mark.slow
def test_it_answers_when_the_model_hangs_and_the_service_is_full(tmp_path: Path) -> None:
    """Then it is needed most."""
    encoder = FailingEncoder()
    with running(tmp_path, encoder=encoder, max_requests=1) as client:
        encoder.gate.clear()
        asking = threading.Thread(target=client.get, args=("/v1/search?q=never+seen",))
        asking.start()
        try:
            wait_until(lambda: health(client)["admission"]["requests"] == 1)
            wait_until(lambda: client.get("/v1/search?q=red").status_code == 429)
            # A refusal is counted a moment after its answer.
            wait_until(lambda: health(client)["requests"]["refused"].get("busy", 0) >= 1)
        finally:
            encoder.gate.set()
            asking.join(60)
        assert not asking.is_alive()


def test_the_card_of_a_model_folder_is_part_of_it(tmp_path: Path) -> None:
    """The starter has one; an empty folder and a name that is no folder have none."""
    cards = [
        RunningModel.of(FakeEncoder(), model, precision="auto").as_json()["card"]
        for model in (None, str(tmp_path), "ViT-B-32/openai")
    ]

    assert str(cards[0]).startswith("# Sightline starter model")
    assert cards[1:] == [None, None]


@pytest.mark.slow
def test_the_runtime_is_the_one_that_really_runs() -> None:
    """Precision and tuning are those of the loaded towers, whatever was asked for."""
    plan = untuned_plan("float32")
    encoder = OpenVINOEncoder(open_model_folder(STARTER_MODEL), plan=plan)
    try:
        running = RunningModel.of(encoder, None, precision="auto")
    finally:
        encoder.close()

    assert running.folder == STARTER_MODEL
    assert (running.runtime, running.image_precision, running.tuned) == (
        "openvino",
        "float32",
        False,
    )
