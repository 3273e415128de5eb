"""From errors to answers: every failure has the one shape of docs/api.md."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Mount, Route

from core.errors import (
    AccessError,
    ArtifactError,
    AuthenticationError,
    BusyError,
    ConflictError,
    DeadlineError,
    EncoderError,
    FetchError,
    ImageError,
    ImageTooLargeError,
    NotFoundError,
    NotReadyError,
    SightlineError,
    StorageError,
    StorageFullError,
    UnsupportedImageError,
    UsageError,
)
from core.types import JSONObject
from service.responses import json_response

logger = logging.getLogger(__name__)

STATUSES: tuple[tuple[type[SightlineError], int, str], ...] = (
    (ImageTooLargeError, 413, "invalid_image"),
    (UnsupportedImageError, 415, "invalid_image"),
    (ImageError, 422, "invalid_image"),
    (NotFoundError, 404, "not_found"),
    (ConflictError, 409, "conflict"),
    (BusyError, 429, "busy"),
    (DeadlineError, 504, "deadline"),
    (NotReadyError, 503, "not_ready"),
    (StorageFullError, 507, "storage"),
    (StorageError, 503, "storage"),
    (ArtifactError, 503, "storage"),
    (EncoderError, 503, "encoder"),
    (AuthenticationError, 401, "unauthenticated"),
    (AccessError, 403, "forbidden"),
    (FetchError, 502, "fetch"),
    (UsageError, 400, "invalid_request"),
)
"""Status and ``type`` of each error class; the first match counts, so narrow ones come first."""

OUT_OF_RANGE = "out_of_range"
"""Code of a value that is well-formed and too small, too large or of the wrong size: 422."""

UNAUTHENTICATED = 401

_CODE_STATUSES = {
    OUT_OF_RANGE: 422,
    "body_timeout": 408,
    "body_too_large": 413,
    "read_only": 403,
    "unsupported_media_type": 415,
    # What an address gives is the choice of who names it; only an address that fails is a 502.
    "fetch_redirects": 400,
    "fetch_too_large": 400,
    "fetch_encoding": 400,
}
_HTTP_TYPES = {404: "not_found", 405: "method_not_allowed", 413: "too_large"}
_MAY_SUCCEED_LATER = frozenset({429, 503})
_SHOWN_PROBLEMS = 3
_RANGE_PROBLEMS = frozenset(
    {
        "greater_than",
        "greater_than_equal",
        "less_than",
        "less_than_equal",
        "too_short",
        "too_long",
        "string_too_short",
        "string_too_long",
        "finite_number",
    }
)


def out_of_range(message: str, *, param: str) -> UsageError:
    """Return the error of a well-formed value that is outside its limits (422)."""
    return UsageError(message, code=OUT_OF_RANGE, param=param)


def status_of(error: SightlineError) -> int:
    """Return the HTTP status of an error."""
    if error.code in _CODE_STATUSES:
        return _CODE_STATUSES[error.code]
    return next((status for kind, status, _ in STATUSES if isinstance(error, kind)), 500)


def error_object(error: SightlineError, *, param: str | None = None) -> JSONObject:
    """Return what stands under ``error`` in an answer or in one entry of ``results``."""
    kind = next((name for kind, _, name in STATUSES if isinstance(error, kind)), "internal")
    return {
        "type": kind,
        "message": str(error),
        "param": param or error.param,
        "code": error.code,
    }


def error_response(
    status: int,
    body: JSONObject,
    *,
    retry_after_s: int = 1,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return an answer in the shape of errors, with Retry-After where trying again may help."""
    extra = dict(headers or {})
    if status in _MAY_SUCCEED_LATER:
        extra["Retry-After"] = str(retry_after_s)
    if status == UNAUTHENTICATED:
        # RFC 9110 wants to know how to do better.
        extra["WWW-Authenticate"] = "Bearer"
    return json_response({"error": body}, status=status, headers=extra)


def validation_error(problems: Sequence[Mapping[str, object]]) -> UsageError:
    """Return the error of a request body that does not fit its schema.

    ``problems`` are pydantic's; a value that is well-formed but out of range gives 422, all else
    400. The input itself is never repeated: it may be megabytes or private.
    """
    shown = []
    for problem in problems[:_SHOWN_PROBLEMS]:
        place = _place(problem)
        shown.append(f"{place}: {problem.get('msg')}" if place else str(problem.get("msg")))
    more = len(problems) - len(shown)
    message = "; ".join(shown) + (f"; and {more} more" if more else "")
    malformed = any(problem.get("type") not in _RANGE_PROBLEMS for problem in problems)
    param = _place(problems[0]) if problems else ""
    return UsageError(message, code=None if malformed else OUT_OF_RANGE, param=param or None)


def install_error_handlers(app: FastAPI, *, retry_after_s: int) -> None:
    """Make every failure of ``app`` answer in the one shape."""

    async def sightline_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, SightlineError)
        return _answer(request, error, retry_after_s)

    async def schema_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError | ValidationError)
        problems = error.errors()
        if isinstance(error, RequestValidationError):
            # FastAPI puts the part of the request first: query, path, body.
            problems = [{**problem, "loc": problem["loc"][1:]} for problem in problems]
        return _answer(request, validation_error(problems), retry_after_s)

    async def http_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return _http_answer(request, error, retry_after_s)

    app.add_exception_handler(SightlineError, sightline_error)
    app.add_exception_handler(RequestValidationError, schema_error)
    app.add_exception_handler(ValidationError, schema_error)
    app.add_exception_handler(HTTPException, http_error)


def _answer(request: Request, error: SightlineError, retry_after_s: int) -> Response:
    status = status_of(error)
    request.app.state.metrics.rejected(error.code)
    if isinstance(error, FetchError):
        # Its message names an address, which may hold a secret of the client's.
        logger.warning("an image by URL failed", extra={"code": error.code})
    elif status >= 500:  # noqa: PLR2004 - the class of server errors
        logger.error("request failed", extra={"code": error.code, "reason": str(error)})
    return error_response(status, error_object(error), retry_after_s=retry_after_s)


def _http_answer(request: Request, error: HTTPException, retry_after_s: int) -> Response:
    path = request.scope.get("raw_path", b"").decode("ascii", "replace")
    messages = {
        404: f"there is no {path[:100]!r} here; GET /docs lists the routes",
        405: f"{request.method} is not possible here; GET /docs lists the routes",
    }
    kind = _HTTP_TYPES.get(error.status_code, "invalid_request")
    message = messages.get(error.status_code, str(error.detail))
    body: JSONObject = {"type": kind, "message": message, "param": None, "code": kind}
    headers = dict(error.headers or {})
    if error.status_code == 405:  # noqa: PLR2004 - method not allowed
        headers["Allow"] = ", ".join(_methods(request))
    return error_response(error.status_code, body, retry_after_s=retry_after_s, headers=headers)


def _methods(request: Request) -> list[str]:
    """Return the methods of a path: several routes may share it, and the router names but one."""
    path = request.scope["path"]
    found: set[str] = set()
    for context in iter_route_contexts(request.app.routes):
        route = context.original_route
        if isinstance(route, Route) and route.path_regex.match(path):
            found |= route.methods or set()
        elif isinstance(route, Mount) and path.startswith(route.path):
            found |= {"GET", "HEAD"}
    return sorted(found)


def _place(problem: Mapping[str, object]) -> str:
    """Return the path of a problem as ``query[1].vector``."""
    location = problem.get("loc")
    text = ""
    for part in location if isinstance(location, tuple | list) else ():
        if isinstance(part, int):
            text += f"[{part}]"
        elif not _is_union_tag(str(part)):
            text += f".{part}" if text else str(part)
    return text


def _is_union_tag(part: str) -> bool:
    """Return whether a part of a location is pydantic's name for one choice of a union."""
    return part == "str" or "[" in part
