"""clip-retrieval's wire: its own ``ClipClient`` unchanged, and the exact shapes of its server."""

from __future__ import annotations

import base64
import importlib.util
import io
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.fakes import FakeEncoder, picture_bytes
from tests.service.running import COLOURS, add_colours, error_of, running

KNN: dict[str, Any] = {"modality": "image", "num_images": 6, "indice_name": "gallery"}


def clip_client(service: httpx.Client, **options: Any) -> Any:
    """Return a ``ClipClient`` of the package; its module stands alone, the package does not."""
    folder = importlib.util.find_spec("clip_retrieval")
    assert folder is not None, "pip install --no-deps -r requirements/peers.txt"
    assert folder.submodule_search_locations
    path = Path(folder.submodule_search_locations[0]) / "clip_client.py"
    spec = importlib.util.spec_from_file_location("peer_clip_client", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.ClipClient(f"{service.base_url}/knn-service", "gallery", **options)


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client takes proxies from the environment; ours is on this machine."""
    monkeypatch.setenv("NO_PROXY", "*")


def knn(service: httpx.Client, **fields: Any) -> Any:
    """Search as its front end does: JSON as plain text, unused fields null or empty."""
    body = {
        "text": None,
        "image": None,
        "image_url": None,
        "embedding_input": None,
        "num_result_ids": 6,
        "use_mclip": False,
        "deduplicate": False,
        "use_safety_model": True,
        "use_violence_detector": True,
        "aesthetic_score": "",
        "aesthetic_weight": "0.5",
        **KNN,
        **fields,
    }
    return service.post(
        "/knn-service",
        content=json.dumps(body),
        headers={"content-type": "text/plain;charset=UTF-8"},
    )


def test_the_client_of_the_package_finds_by_text(colours: httpx.Client) -> None:
    """The best hit with its caption, metadata, similarity and a JPEG of it."""
    results = clip_client(colours, num_images=3).query(text="a red car")

    assert [sorted(result) for result in results] == [
        ["caption", "id", "image", "n", "similarity"]
    ] * 3
    best = results[0]
    assert (best["caption"], best["n"]) == ("a red square", 0)
    assert isinstance(best["id"], int)
    score = colours.get("/v1/search", params={"q": "red", "k": 1}).json()["hits"][0]["score"]
    assert best["similarity"] == pytest.approx(score, abs=1e-6)
    with Image.open(io.BytesIO(base64.b64decode(best["image"]))) as picture:
        assert picture.format == "JPEG"


def test_the_client_of_the_package_finds_by_image_and_vector(
    colours: httpx.Client, tmp_path: Path
) -> None:
    """A file, sent as base64, and an embedding as a list of numbers."""
    path = tmp_path / "blue.png"
    path.write_bytes(picture_bytes("blue"))
    vector = FakeEncoder().encode_texts(["green"])[0].tolist()
    client = clip_client(colours, num_images=1)

    assert client.query(image=str(path))[0]["caption"] == "a blue square"
    assert client.query(embedding_input=vector)[0]["caption"] == "a green square"


def test_results_beyond_num_images_are_ids_alone(colours: httpx.Client) -> None:
    """40 with pictures and 3000 ids: the front end asks for the rest by ``/metadata``."""
    results = knn(colours, text="red", num_images=2, num_result_ids=5).json()
    rest = [result["id"] for result in results[2:]]
    answer = colours.post("/metadata", content=json.dumps({"ids": rest, "indice_name": "gallery"}))

    assert [sorted(result) for result in results[2:]] == [["id", "similarity"]] * 3
    assert [entry["id"] for entry in answer.json()] == rest
    assert [sorted(entry["metadata"]) for entry in answer.json()] == [["caption", "image", "n"]] * 3
    similarities = [result["similarity"] for result in results]
    assert similarities == sorted(similarities, reverse=True)


def test_rows_that_do_not_exist_are_left_out(colours: httpx.Client) -> None:
    """Deleted in between: its neighbours are answered."""
    known = knn(colours, text="red", num_images=1).json()[0]["id"]
    body = {"ids": [known, 10**12], "indice_name": "gallery"}

    assert [row["id"] for row in colours.post("/metadata", json=body).json()] == [known]
    assert colours.post("/metadata", json={"ids": [], "indice_name": "gallery"}).json() == []


def test_the_index_has_the_name_of_the_gallery(colours: httpx.Client) -> None:
    """One name, which the front end takes when its own is empty."""
    assert colours.get("/indices-list").json() == ["gallery"]
    assert colours.get("/config.json").json() == {
        "defaultBackend": str(colours.base_url).rstrip("/"),
        "defaultIndex": "gallery",
        "urlColumn": "url",
    }
    assert len(knn(colours, text="red", indice_name="").json()) == 6


def test_pictures_that_look_alike_are_one_result(tmp_path: Path) -> None:
    """``deduplicate`` keeps the best of each group, and only then."""
    with running(tmp_path) as service:
        add_colours(service)
        service.post(
            "/v1/items",
            files={"image": picture_bytes((215, 25, 25))},
            data={"items": '[{"id": "reddish", "caption": "reddish"}]'},
        )
        all_of_them = knn(service, text="red", num_images=10, num_result_ids=10).json()
        some = knn(service, text="red", num_images=10, num_result_ids=10, deduplicate=True).json()

    assert {result["caption"] for result in all_of_them[:2]} == {"a red square", "reddish"}
    assert [result["id"] for result in some] == [
        result["id"] for result in [all_of_them[0], *all_of_them[2:]]
    ]


def test_more_results_than_one_page_of_the_gallery(tmp_path: Path) -> None:
    """What its front end asks for at once, 3000 ids, is read page by page."""
    with running(tmp_path) as service:
        add_colours(service)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("service.clip_retrieval.MOST_K", 4)
            results = knn(service, text="red", num_images=1, num_result_ids=3000).json()
        whole = knn(service, text="red", num_images=1, num_result_ids=3000).json()

    assert len(results) == len(COLOURS)
    assert results == whole


@pytest.mark.parametrize(
    ("fields", "status", "param"),
    [
        ({"text": ""}, 400, "text"),
        ({}, 400, "text"),
        ({"text": "red", "indice_name": "other"}, 404, "indice_name"),
        ({"text": "red", "modality": "text"}, 400, "modality"),
        ({"text": "red", "use_mclip": True}, 400, "use_mclip"),
        ({"text": "red", "num_images": 0}, 422, "num_images"),
        ({"text": "red", "num_result_ids": 10_001}, 422, "num_result_ids"),
        ({"embedding_input": [1.0]}, 422, "embedding_input"),
        ({"embedding_input": [0.0] * 8}, 422, "embedding_input"),
        ({"image": "%%"}, 400, "image"),
        ({"image": base64.b64encode(b"no picture").decode()}, 415, "image"),
        ({"image_url": "http://127.0.0.1/a.png"}, 400, "image_url"),
        ({"text": "x" * 5000}, 422, "text"),
    ],
)
def test_what_cannot_be_searched_is_refused(
    colours: httpx.Client, fields: dict[str, Any], status: int, param: str
) -> None:
    """Its server answers 500 to most of these; here each says what is wrong."""
    assert error_of(knn(colours, **fields), status)["param"] == param


def test_the_summary_names_the_stages(colours: httpx.Client) -> None:
    """Plain text with calls and mean time of each stage."""
    knn(colours, text="red")
    answer = colours.get("/metrics-summary")

    assert answer.headers["content-type"].startswith("text/plain")
    assert {line.split()[0] for line in answer.text.splitlines()} >= {"stage", "search", "decode"}


def test_a_wire_that_is_switched_off_is_not_there(tmp_path: Path) -> None:
    """The setting ``wires`` names those that are answered."""
    with running(tmp_path, wires=("immich",)) as service:
        error_of(knn(service, text="red"), 404)
        assert service.get("/ping").text == "pong"
