"""The OpenAPI document: complete, with true examples, and the running service does what it says."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import pytest

from service.app import create_app
from service.settings import Settings
from tests.fakes import picture_bytes
from tests.service.running import add_colours, error_of, running

DOCUMENT: dict[str, Any] = create_app(Settings()).openapi()
OPERATIONS = [
    (method.upper(), path) for path, methods in DOCUMENT["paths"].items() for method in methods
]
ROOT = Path(__file__).parent.parent.parent


def operation(method: str, path: str) -> dict[str, Any]:
    """Return what the document says of an operation."""
    found: dict[str, Any] = DOCUMENT["paths"][path][method.lower()]
    return found


@pytest.fixture
def sound(tmp_path: Path) -> Iterator[httpx.Client]:
    """Serve six pictures, for one test alone."""
    with running(tmp_path, immich_models=("ours",)) as client:
        add_colours(client)
        yield client


@pytest.mark.slow
def test_made_up_requests_get_documented_answers(tmp_path: Path) -> None:
    """Requests that fit the document and some that do not: no 5xx, every answer as documented."""
    command = [sys.executable, "-m", "tests.service.made_up_requests", str(tmp_path)]

    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["failures"] == {}
    assert {name.rsplit(" ", 1)[0] for name in report["operations"]} == {
        f"{method} {path}" for method, path in OPERATIONS
    }
    assert report["statuses"]["200"] > 50


def schemas_of(content: dict[str, Any]) -> Iterator[tuple[dict[str, Any], list[Any]]]:
    """Yield the schema of each JSON media type with its examples, those of the model included."""
    for kind, described in content.items():
        if kind != "application/json":
            continue
        schema = described["schema"]
        name = schema.get("$ref", "").rsplit("/", 1)[-1]
        model = DOCUMENT["components"]["schemas"].get(name, {})
        given = [described["example"]] if "example" in described else []
        yield schema, [*given, *model.get("examples", [])]


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_every_example_fits_its_schema(method: str, path: str) -> None:
    """Bodies, answers and errors: what the document shows is what it describes."""
    described = operation(method, path)
    contents = [answer.get("content", {}) for answer in described["responses"].values()]
    contents.append(described.get("requestBody", {}).get("content", {}))

    for content in contents:
        for schema, examples in schemas_of(content):
            whole = {**schema, "components": DOCUMENT["components"]}
            for example in examples:
                jsonschema_rs.validate(whole, example)


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_every_operation_is_described_in_full(method: str, path: str) -> None:
    """Summary, description, a schema or media type of success, and an example of each JSON."""
    described = operation(method, path)
    success = described["responses"]["200"]

    assert described["summary"]
    assert described["description"]
    assert described["tags"]
    assert success["headers"]["X-Request-ID"]
    for kind, content in success["content"].items():
        assert content["schema"], kind
        assert kind != "application/json" or "example" in content
    body = described.get("requestBody", {}).get("content", {}).get("application/json")
    if body is not None:
        name = body["schema"]["$ref"].rsplit("/", 1)[-1]
        assert DOCUMENT["components"]["schemas"][name]["examples"], name


def test_operation_ids_are_the_names_of_the_functions() -> None:
    """They name the methods of generated clients, so each is there once and stays."""
    ids = [operation(method, path)["operationId"] for method, path in OPERATIONS]

    assert len(ids) == len(set(ids))
    assert {"post_search", "post_items", "get_item", "post_embeddings", "post_knn_service"} <= set(
        ids
    )


def test_every_status_of_an_error_has_an_example() -> None:
    """Each operation lists what limits, keys and admission answer, with the one shape of errors."""
    for method, path in OPERATIONS:
        for status, answer in operation(method, path)["responses"].items():
            if int(status) >= 400:
                example = answer["content"]["application/json"]["example"]
                assert set(example["error"]) == {"type", "message", "param", "code"}
        assert {"401", "403", "429", "503", "504"} <= set(operation(method, path)["responses"])


def test_the_document_is_version_3_1_and_complete() -> None:
    """Every reference leads to a schema, and none is left that nothing refers to."""
    text = str(DOCUMENT["paths"]) + str(DOCUMENT["components"])
    known = DOCUMENT["components"]["schemas"]

    assert DOCUMENT["openapi"].startswith("3.1")
    assert "HTTPValidationError" not in text
    assert [name for name in known if f"#/components/schemas/{name}'" not in text] == []


IMAGE = base64.b64encode(picture_bytes("red")).decode()
BROKEN = base64.b64encode(picture_bytes("red")[:60]).decode()
FORM = {"files": {"image": picture_bytes("red")}}
ENTRIES = {
    kind: json.dumps({"clip": {kind: {"modelName": "ours"}}}) for kind in ("visual", "textual")
}
LABELS = {"labels": ["red", "blue"], "top_k": 1}
MARKS = [{"item_id": "green", "grade": 1}, {"item_id": "nobody", "grade": 0}]
FORMATS = ("qrels", "queries", "run", "jsonl", "pairs")
REAL: list[tuple[str, str, dict[str, Any]]] = [
    ("GET", "/v1/search", {"params": {"q": "red -blue", "explain": True, "k": 3}}),
    ("POST", "/v1/search", {"json": {"query": [{"image": IMAGE}, {"image_id": "red"}]}}),
    ("POST", "/v1/search", {**FORM, "data": {"text": "red", "k": "2", "mode": "hybrid"}}),
    ("POST", "/v1/classify", {"json": {"image": [IMAGE, BROKEN], **LABELS}}),
    ("POST", "/v1/classify", {"json": {"image_id": "red", **LABELS, "abstain": {"min_score": 1}}}),
    ("POST", "/v1/items", {"json": {"items": [{"image": IMAGE, "id": "a"}, {"image": BROKEN}]}}),
    ("POST", "/v1/items", FORM),
    ("GET", "/v1/items", {"params": {"limit": 2, "filter": '{"n": {"gte": 1}}'}}),
    ("POST", "/v1/items/delete", {"json": {"ids": ["white"]}}),
    ("GET", "/v1/items/{item_id}", {}),
    ("PATCH", "/v1/items/{item_id}", {"json": {"caption": "new", "metadata": {"a": [1, None]}}}),
    ("GET", "/v1/items/{item_id}/image", {}),
    ("GET", "/v1/items/{item_id}/thumbnail", {}),
    ("DELETE", "/v1/items/{item_id}", {}),
    ("POST", "/v1/label-sets", {"json": {"name": "pets", "labels": ["cat", {"text": "dog"}]}}),
    ("GET", "/v1/label-sets", {}),
    ("GET", "/v1/label-sets/{name}", {}),
    ("GET", "/v1/label-sets/{name}/fits", {"params": {"effect": "true"}}),
    ("GET", "/v1/template-sets", {}),
    ("POST", "/v1/embeddings", {"json": {"input": ["red", {"image": IMAGE}]}}),
    ("POST", "/v1/embeddings", {"json": {"input": "red", "encoding_format": "base64"}}),
    ("GET", "/v1/models", {}),
    ("GET", "/v1/models/{model}", {}),
    ("POST", "/v1/fields", {"json": {"name": "n"}}),
    ("GET", "/v1/fields", {}),
    ("PUT", "/v1/judgements", {"json": {"query": "red", "marks": MARKS}}),
    ("GET", "/v1/judgements", {}),
    ("GET", "/v1/judgements", {"params": {"q": "red"}}),
    ("GET", "/v1/judgements/quality", {"params": {"k": 2}}),
    *(("GET", "/v1/judgements/export", {"params": {"format": name}}) for name in FORMATS),
    ("DELETE", "/v1/judgements", {"params": {"q": "red"}}),
    ("GET", "/v1/reports", {}),
    ("GET", "/v1/gallery", {}),
    ("GET", "/metrics", {}),
    ("POST", "/knn-service", {"json": {"text": "red", "num_images": 2, "indice_name": ""}}),
    ("POST", "/metadata", {"json": {"ids": [1, 2], "indice_name": "gallery"}}),
    ("POST", "/predict", {**FORM, "data": {"entries": ENTRIES["visual"]}}),
    ("POST", "/predict", {"files": {"text": (None, "red"), "entries": (None, ENTRIES["textual"])}}),
]


def test_real_answers_fit_their_schema(sound: httpx.Client) -> None:
    """What the service answers to requests that make sense is what the document describes."""
    assert (
        sound.post("/v1/label-sets", json={"name": "tones", "labels": ["red"]}).status_code == 200
    )
    names = {"item_id": "red", "name": "tones", "model": "fake"}

    for method, path, sent in REAL:
        answer = sound.request(method, path.format_map(names), **sent)
        content = operation(method, path)["responses"]["200"]["content"]
        kind = answer.headers["content-type"].partition(";")[0]

        assert answer.status_code == 200, (path, answer.text)
        assert kind in content, path
        if kind == "application/json":
            schema = {**content[kind]["schema"], "components": DOCUMENT["components"]}
            jsonschema_rs.validate(schema, answer.json())


def test_other_methods_are_405_with_those_that_there_are(sound: httpx.Client) -> None:
    """Each path answers a method that it lacks in the one shape, and names what it allows."""
    for path, methods in DOCUMENT["paths"].items():
        lacking = "PUT" if "put" not in methods else "PATCH"
        answer = sound.request(lacking, path.replace("{", "").replace("}", ""))

        assert error_of(answer, 405)["type"] == "method_not_allowed"
        allowed = {method.strip() for method in answer.headers["allow"].split(",")}
        assert {method.upper() for method in methods} <= allowed, path
