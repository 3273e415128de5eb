"""The app as a whole: every route is documented, and nothing a client sends is a 500."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from starlette.routing import BaseRoute, Mount

from service.app import create_app
from service.settings import Settings

ROOT = Path(__file__).parent.parent.parent
HIDDEN = {"HEAD"}


def routes_of(routes: list[BaseRoute]) -> Iterator[str]:
    """Yield each route as ``METHOD /path``."""
    for route in routes:
        included = getattr(route, "original_router", None)
        if included is not None:
            yield from routes_of(included.routes)
            continue
        if isinstance(route, Mount):
            yield f"GET {route.path}"
            continue
        path = str(getattr(route, "path", ""))
        for method in sorted(set(getattr(route, "methods", ())) - HIDDEN):
            yield f"{method} {path}"


def test_every_route_is_documented_and_no_other() -> None:
    """The table of docs/api.md is the list of routes of the app."""
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    documented = re.findall(r"^\| `([A-Z]+ /[^`]*)` \|", page, re.MULTILINE)

    assert sorted(documented) == sorted(routes_of(create_app(Settings()).routes))


def test_every_status_of_an_error_is_documented() -> None:
    """The table of statuses names each one that the code can answer."""
    from service.errors import _CODE_STATUSES, STATUSES

    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    documented = {int(status) for status in re.findall(r"^\| (\d{3}) \|", page, re.MULTILINE)}

    assert {status for _, status, _ in STATUSES} | set(_CODE_STATUSES.values()) <= documented


def test_every_metric_is_documented(colours: httpx.Client) -> None:
    """The table of docs/operate.md names each metric that is published."""
    page = (ROOT / "docs" / "operate.md").read_text(encoding="utf-8")
    text = colours.get("/metrics").text
    published = set(re.findall(r"^# TYPE (\w+) ", text, re.MULTILINE))
    documented = set(re.findall(r"`((?:sightline|process)_\w+)`", page))

    # prometheus_client adds a _created gauge to each counter and histogram.
    assert {name for name in published if not name.endswith("_created")} == documented


_PATHS = (
    "/v1/search",
    "/v1/classify",
    "/v1/items",
    "/v1/items/delete",
    "/v1/embeddings",
    "/v1/label-sets",
)
_STRANGE: tuple[object, ...] = (
    None,
    [],
    {},
    0,
    "",
    "\0",
    "a\0b",
    -1,
    1e308,
    2**70,
    True,
    [[]],
    [None],
    {"a": {}},
    "x" * 100_000,
)


@pytest.mark.parametrize("path", _PATHS)
def test_strange_values_of_every_field_are_no_defect(empty: httpx.Client, path: str) -> None:
    """Each field of each body with each strange value: 4xx or an answer, never 5xx."""
    document = empty.get("/openapi.json").json()
    body = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
    schema = document["components"]["schemas"][body["schema"]["$ref"].rsplit("/", 1)[1]]
    base = {"/v1/search": {"query": "red"}, "/v1/embeddings": {"input": "red"}}.get(path, {})

    for field, value in itertools.product(schema["properties"], _STRANGE):
        answer = empty.post(path, json={**base, field: value})

        assert answer.status_code < 500, (field, value, answer.text)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/items/%00",
        "/v1/items/%ff",
        "/v1/items/a%0d%0ab",
        "/v1/items/" + "x" * 5000,
        "/v1/items/%2e%2e/image",
        "/v1/label-sets/%00",
        "/v1/label-sets/..%2f..%2fetc",
        "/docs/..%2fapp.py",
        "/static/..%2f..%2fpyproject.toml",
        "/v1/search?q=%ff&k=%00",
        "/v1/search?k=99999999999999999999999",
        "/v1/items?limit=99999999999999999999999",
        "/v1/items?cursor=%00",
    ],
)
def test_strange_addresses_are_no_defect(empty: httpx.Client, path: str) -> None:
    """Broken escapes, climbing paths and huge numbers: always 4xx in the one shape."""
    answer = empty.get(path)

    assert 400 <= answer.status_code < 500
    assert answer.json()["error"]["message"]
