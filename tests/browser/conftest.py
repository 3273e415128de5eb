"""A real browser in front of a real service, for the tests of the page.

Playwright drives the system's chromium (Debian: ``apt-get install chromium``). Where there is none
the tests are skipped and say so; in CI they fail.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.fakes import picture_bytes
from tests.service.running import add_colours, running

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
TIMEOUT_MS = 120_000
"""Of every wait; only what is broken takes so long."""
SHADES = 60
"""Dim pictures besides the six colours, so that a search has more than one page."""

OpenPage = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start one headless Chromium for all tests."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        stop = pytest.fail if os.environ.get("CI") else pytest.skip
        stop("no chromium: 'apt-get install chromium' makes the tests of the page run")
    # Playwright waits five seconds by itself, less than a busy machine may need.
    expect.set_options(timeout=TIMEOUT_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=list(FLAGS), timeout=TIMEOUT_MS
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Serve the six colours and many dim shades; tests that use it must not change it."""
    with running(tmp_path_factory.mktemp("browser"), read_only=False) as client:
        add_colours(client)
        _add_shades(client)
        yield client


@pytest.fixture
def open_page(browser: Browser, service: httpx.Client) -> Iterator[OpenPage]:
    """Return a function that opens the page; afterwards nothing may have gone wrong in it.

    ``refusals=True`` allows answers with an error status, which the browser's console repeats.
    """
    address = str(service.base_url)
    contexts = []
    problems: list[str] = []
    requests: list[str] = []

    def open_address(path: str = "/", *, refusals: bool = False, **options: object) -> Page:
        context = browser.new_context(base_url=address, **options)  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(TIMEOUT_MS)
        page.on("request", lambda request: requests.append(request.url))
        page.on("pageerror", lambda error: problems.append(str(error)))

        def note(message: object) -> None:
            text = f"{message.type}: {message.text}"  # type: ignore[attr-defined]
            is_refusal = refusals and "Failed to load resource" in text
            if text.startswith(("error", "warning")) and not is_refusal:
                problems.append(text)

        page.on("console", note)
        page.goto(path)
        return page

    yield open_address
    for context in contexts:
        context.close()
    foreign = [url for url in requests if not url.startswith((address, "blob:", "data:"))]
    assert problems == []
    assert foreign == []


def _add_shades(client: httpx.Client) -> None:
    names = [f"shade-{place:02}" for place in range(SHADES)]
    pictures = [
        picture_bytes((60 + place, 60 + place, 110), size=(40 + place % 7 * 6, 40))
        for place in range(SHADES)
    ]
    items = [{"id": name, "caption": f"a dim picture, {name}"} for name in names]
    answer = client.post(
        "/v1/items",
        files=[
            ("image", (f"{name}.png", data)) for name, data in zip(names, pictures, strict=True)
        ],
        data={"items": json.dumps(items)},
    )
    assert answer.status_code == 200, answer.text
