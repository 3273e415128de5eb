"""The two front ends that the benchmark of the page compares, served and driven by a browser."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from playwright.sync_api import Page
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from benchmarks.demo_service import wait_until_ready
from benchmarks.service_peers import free_port

ROOT = Path(__file__).parent.parent
_OURS_DRAWN = """() => {
    const shown = [...document.querySelectorAll(".tile img")].filter((image) => {
        const { top, bottom } = image.getBoundingClientRect();
        return bottom > 0 && top < window.innerHeight;
    });
    return document.getElementById("results").getAttribute("aria-busy") === "false"
        && document.querySelector(".tile .score") !== null
        && shown.some((image) => image.naturalWidth > 0);
}"""
_PEER_DRAWN = """() => {
    const front = document.querySelector("clip-front").shadowRoot;
    return [...front.querySelectorAll("img.pic")].some((image) => image.naturalWidth > 0);
}"""
_PEER_READY = """() => document.querySelector("clip-front")?.shadowRoot
    ?.querySelector("select option")"""


@dataclass(frozen=True, slots=True)
class Front:
    """A front end: where it is, when it can be used, and when the first hit of it is drawn."""

    name: str
    address: str
    ready: str
    drawn: str

    def ask(self, page: Page, query: str) -> None:
        """Type a query and set it off as a user does; return at once."""
        if self.name == "Sightline":
            page.locator("#query").fill(query)
            page.keyboard.press("Enter")
        else:
            page.locator("#searchBar").fill(query)
            page.locator("#textSearch").click()


@contextmanager
def fronts(gallery: Path) -> Iterator[tuple[Front, Front]]:
    """Serve a gallery by both until the block ends: our page, and clip-retrieval's on our wire."""
    config: dict[str, str] = {}
    with _packaged_front(config) as origin, _service(gallery, origin) as address:
        config |= {
            "defaultBackend": address,
            "defaultIndex": gallery.resolve().name,
            "urlColumn": "url",
        }
        ours = Front(
            "Sightline",
            address,
            "() => document.querySelector('.tile img')?.naturalWidth > 0",
            _OURS_DRAWN,
        )
        yield ours, Front("clip-retrieval front", origin, _PEER_READY, _PEER_DRAWN)


@contextmanager
def _service(gallery: Path, origin: str) -> Iterator[str]:
    port = free_port()
    words = [sys.executable, "-m", "cli.main", "serve", "--gallery", str(gallery)]
    process = subprocess.Popen(
        [*words, "--port", str(port)],
        cwd=ROOT,
        env={**os.environ, "SIGHTLINE_CORS_ORIGINS": origin},
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until_ready(port, process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=60)


@contextmanager
def _packaged_front(config: dict[str, str]) -> Iterator[str]:
    """Serve the files of the package clip-retrieval, unchanged, with a configuration."""
    package = importlib.util.find_spec("clip_retrieval")
    if package is None or package.origin is None:
        raise SystemExit("pip install --no-deps -r requirements/peers.txt")
    files = Path(package.origin).parent.parent / "front" / "build"

    async def read_config(_request: object) -> JSONResponse:
        return JSONResponse(config)

    pages = Mount("/", StaticFiles(directory=files, html=True))
    app = Starlette(routes=[Route("/config.json", read_config), pages])
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, access_log=False))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()
