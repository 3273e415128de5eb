"""The web page at ``/`` and the documentation at ``/docs``, all from this machine."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Scope

from core.errors import NotFoundError
from service.responses import json_response

router = APIRouter(include_in_schema=False)

STATIC = Path(__file__).parent.parent / "static"
_WORTH_COMPRESSING = 1024
"""Bytes; less fits into one packet anyway."""
_LEVEL = 5
"""Of gzip: within 2 % of the smallest, in half the time."""
_ASSETS = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css"}
_DOCS_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sightline API</title>
<link rel="icon" href="/static/favicon.svg">
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""
_DOCS_SCRIPT = """SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null,
  tryItOutEnabled: true,
});
"""


class PageFiles(StaticFiles):
    """The files of the page. Browsers ask each time, so after an upgrade none of them is old."""

    def file_response(
        self,
        full_path: str | os.PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        """Return the file, or 304 where the browser has it already."""
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers["cache-control"] = "no-cache"
        return response


def page_files() -> ASGIApp:
    """Return the app of the page's files: text goes compressed, a quarter of its size."""
    files = PageFiles(directory=STATIC, check_dir=False)
    return GZipMiddleware(files, minimum_size=_WORTH_COMPRESSING, compresslevel=_LEVEL)


@router.get("/")
async def get_page(request: Request) -> Response:
    """Return the web page; a program that accepts no HTML gets a word of JSON, as from immich."""
    if not _accepts_html(request.headers.get("accept", "*/*")):
        return json_response({"message": "Sightline"})
    return FileResponse(STATIC / "index.html", headers={"cache-control": "no-cache"})


@router.get("/docs")
async def get_docs() -> Response:
    """Return the page that shows the OpenAPI document."""
    return HTMLResponse(_DOCS_PAGE)


@router.get("/docs/start.js")
async def get_docs_script() -> Response:
    """Return the script that starts Swagger UI: the content policy allows no inline script."""
    return Response(_DOCS_SCRIPT, media_type="text/javascript")


@router.get("/docs/{name}")
async def get_docs_asset(name: str) -> Response:
    """Return a file of Swagger UI, which comes with the package fastapi-offline.

    Raises:
        NotFoundError: no such file.
    """
    if name not in _ASSETS:
        raise NotFoundError(f"the documentation has no file {name[:100]!r}")
    return FileResponse(swagger_folder() / name, media_type=_ASSETS[name])


def _accepts_html(accept: str) -> bool:
    kinds = {part.partition(";")[0].strip().lower() for part in accept.split(",")}
    return not kinds.isdisjoint({"text/html", "text/*", "*/*", ""})


def swagger_folder() -> Path:
    """Return the folder with the files of Swagger UI.

    Raises:
        NotFoundError: the package is not installed.
    """
    spec = importlib.util.find_spec("fastapi_offline")
    if spec is None or spec.origin is None:
        raise NotFoundError(
            "the package fastapi-offline is missing, it holds the documentation's script; "
            "/openapi.json works without it"
        )
    return Path(spec.origin).parent / "static"
