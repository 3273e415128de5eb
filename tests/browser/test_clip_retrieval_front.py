"""clip-retrieval's packaged front end, unchanged, on its own server, in front of our service."""

from __future__ import annotations

import importlib.util
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, Request, expect
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from tests.fakes import picture_bytes
from tests.service.running import running, serving

pytestmark = pytest.mark.slow

TIMEOUT_MS = 60_000
PICTURES = 60
"""More than the 40 that its first answer shows."""


@dataclass(frozen=True, slots=True)
class Front:
    """Where the front end and the service are."""

    address: str
    backend: str


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """Serve the files of the package on one port and our service, which lets it in, on another."""
    package = importlib.util.find_spec("clip_retrieval")
    assert package is not None, "pip install --no-deps -r requirements/peers.txt"
    assert package.origin
    files = Path(package.origin).parent.parent / "front" / "build"
    config: dict[str, str] = {}

    async def read_config(request: object) -> JSONResponse:
        return JSONResponse(config)

    pages = Mount("/", StaticFiles(directory=files, html=True))
    app = Starlette(routes=[Route("/config.json", read_config), pages])
    with serving(app) as page:
        origin = str(page.base_url).rstrip("/")
        folder = tmp_path_factory.mktemp("front")
        with running(folder, cors_origins=(origin,)) as service:
            add_directions(service)
            backend = str(service.base_url).rstrip("/")
            config |= {"defaultBackend": backend, "defaultIndex": "gallery", "urlColumn": "url"}
            yield Front(origin, backend)


def add_directions(service: httpx.Client) -> None:
    """Add pictures whose embeddings point everywhere, so that no two count as duplicates."""
    names = [f"direction-{place:02}" for place in range(PICTURES)]
    answer = service.post(
        "/v1/items",
        files=[
            ("image", (name, picture_bytes(colour_of(place)))) for place, name in enumerate(names)
        ],
        data={"items": json.dumps([{"id": name, "caption": name} for name in names])},
    )
    assert answer.status_code == 200, answer.text


def colour_of(place: int) -> tuple[int, int, int]:
    """Return the colour of a point on the sphere around grey: a Fibonacci lattice."""
    height = 1 - 2 * (place + 0.5) / PICTURES
    angle = place * math.pi * (3 - math.sqrt(5))
    radius = math.sqrt(1 - height * height)
    point = (radius * math.cos(angle), radius * math.sin(angle), height)
    red, green, blue = (round(127.5 + 127 * value) for value in point)
    return red, green, blue


@pytest.fixture
def page(browser: Browser, front: Front) -> Iterator[Page]:
    """Open the front end, and check afterwards that it asked nobody else and met no error."""
    context = browser.new_context(base_url=front.address, viewport={"width": 500, "height": 400})
    page = context.new_page()
    page.set_default_timeout(TIMEOUT_MS)
    errors: list[str] = []
    foreign: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))

    def note(request: Request) -> None:
        if not request.url.startswith((front.address, front.backend, "data:")):
            foreign.append(request.url)

    page.on("request", note)
    page.goto("/")
    yield page
    context.close()
    assert errors == []
    assert foreign == []


def search(page: Page, front: Front) -> list[dict[str, Any]]:
    """Search by text as a person does, once the page knows its index, and return the answer."""
    option = page.locator("select option[value=gallery]")
    expect(option).to_have_count(1, timeout=TIMEOUT_MS)
    page.locator("#searchBar").fill("a red car")
    with page.expect_response(f"{front.backend}/knn-service") as searched:
        page.locator("#textSearch").click()
    results: list[dict[str, Any]] = searched.value.json()
    assert len(results) == PICTURES
    return results


def test_a_search_by_text_shows_pictures_and_scrolling_loads_more(page: Page, front: Front) -> None:
    """The first 40 come with the search, the others by ``/metadata`` when the page is scrolled."""
    asked: list[list[int]] = []

    def note(request: Request) -> None:
        if request.url == f"{front.backend}/metadata":
            asked.append(request.post_data_json["ids"])

    page.on("request", note)
    results = search(page, front)
    expect(page.locator("figure").nth(39)).to_be_attached(timeout=TIMEOUT_MS)
    page.wait_for_function(
        "() => document.querySelector('clip-front').shadowRoot"
        ".querySelector('img.pic').naturalWidth > 0"
    )
    first = page.locator("figure figcaption").first
    expect(first).to_have_text(results[0]["caption"], timeout=TIMEOUT_MS)

    # On a large screen the page asks for more by itself; one that is running is not doubled.
    page.evaluate("() => window.scrollTo(0, document.body.scrollHeight)")
    page.evaluate("() => window.onscroll()")

    expect(page.locator("figure")).to_have_count(PICTURES, timeout=TIMEOUT_MS)
    assert asked[0] == [result["id"] for result in results[40:]]


def test_a_picture_of_the_results_searches_by_image(page: Page, front: Front) -> None:
    """The front end sends the picture back as base64 and finds the item itself first."""
    fourth = search(page, front)[3]
    figure = page.locator("figure").nth(3)
    expect(figure.locator("figcaption")).to_have_text(fourth["caption"], timeout=TIMEOUT_MS)

    with page.expect_response(f"{front.backend}/knn-service") as searched:
        # The icon shows only under the mouse.
        figure.locator(".subImageSearch").dispatch_event("click")

    assert searched.value.request.post_data_json["image"] == fourth["image"]
    assert searched.value.json()[0]["id"] == fourth["id"]
