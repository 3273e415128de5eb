"""From an answer or a broken connection to an error of ``core.errors``, and what it says."""

from __future__ import annotations

import httpx

from core.errors import (
    AccessError,
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
    ServerError,
    SightlineError,
    StorageError,
    StorageFullError,
    UndecodableImageError,
    UnsupportedImageError,
    UsageError,
)
from sightline.call import MOST_SHOWN_CHARS
from sightline.retries import Failure, Outcome, read_retry_after

REQUEST_ID = "X-Request-ID"

_STATUSES: dict[int, type[SightlineError]] = {
    400: UsageError,
    401: AuthenticationError,
    403: AccessError,
    404: NotFoundError,
    405: UsageError,
    409: ConflictError,
    413: UsageError,
    415: UsageError,
    422: UsageError,
    429: BusyError,
    503: NotReadyError,
    504: DeadlineError,
    507: StorageFullError,
}
"""The class of each status, where neither code nor type names a narrower one."""

_IMAGE_STATUSES: dict[int, type[ImageError]] = {
    413: ImageTooLargeError,
    415: UnsupportedImageError,
    422: UndecodableImageError,
}
_TYPES: dict[str, type[SightlineError]] = {
    "invalid_image": ImageError,
    "storage": StorageError,
    "encoder": EncoderError,
}
_IN_USE = "idempotency_key_in_use"
"""An earlier attempt of this very request is still being worked on."""
_NOT_BEGUN = frozenset({429})
_PERHAPS_DONE = frozenset({502, 503})
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


def refused(response: httpx.Response) -> Failure:
    """Return what an answer that is no success says."""
    error = _error_of(response)
    error.status = response.status_code
    error.request_id = response.headers.get(REQUEST_ID) or response.request.headers.get(REQUEST_ID)
    asked_s = read_retry_after(response.headers.get("Retry-After"))
    if response.status_code in _NOT_BEGUN:
        return Failure(error, Outcome.UNPROCESSED, asked_s)
    # A 502 of the service itself is about an address that the request named.
    is_gateway = response.status_code in _PERHAPS_DONE and not isinstance(error, FetchError)
    if is_gateway or error.code == _IN_USE:
        return Failure(error, Outcome.UNKNOWN, asked_s)
    return Failure(error, Outcome.FINAL)


def broken(error: httpx.RequestError) -> Failure:
    """Return what a connection that failed says."""
    request = error.request
    address = f"{request.method} {request.url.copy_with(query=None)}"
    reason = str(error) or type(error).__name__
    if isinstance(error, httpx.TimeoutException) and not isinstance(error, _NEVER_SENT):
        found = ServerError(
            f"{address} was not answered in time ({reason}); give the client a longer timeout_s",
            code="timeout",
        )
        outcome = Outcome.FINAL
    else:
        never = isinstance(error, _NEVER_SENT)
        found = ServerError(
            f"{address}: no connection ({reason}); is the server running there?"
            if never
            else f"{address}: the connection broke ({reason})",
            code="unreachable",
        )
        is_transient = isinstance(error, httpx.TransportError) and not isinstance(
            error, httpx.UnsupportedProtocol
        )
        outcome = Outcome.UNPROCESSED if never else Outcome.UNKNOWN
        outcome = outcome if is_transient else Outcome.FINAL
    found.request_id = request.headers.get(REQUEST_ID)
    return Failure(found, outcome)


def error_from(body: object, *, status: int = 422) -> SightlineError:
    """Return the error that stands under ``error`` in an answer or in one of its results.

    Args:
        body: the object with ``type``, ``message``, ``param`` and ``code``.
        status: of the answer; an entry among others has none, a bad image alone would be 422.

    Raises:
        TypeError: it is no object.
    """
    if not isinstance(body, dict):
        raise TypeError(f"{body!r} is no error object")
    code, kind, param = body.get("code"), body.get("type"), body.get("param")
    found = _class_of(str(code), str(kind), status)
    return found(
        str(body.get("message")),
        code=str(code) if code is not None else None,
        param=str(param) if param is not None else None,
    )


def _class_of(code: str, kind: str, status: int) -> type[SightlineError]:
    """Return the narrowest class: of the code, else of the type, else of the status."""
    known = _classes(SightlineError)
    if code in known:
        return known[code]
    if kind == "invalid_image" and status in _IMAGE_STATUSES:
        return _IMAGE_STATUSES[status]
    return _TYPES.get(kind) or known.get(kind) or _STATUSES.get(status, ServerError)


def _classes(base: type[SightlineError]) -> dict[str, type[SightlineError]]:
    """Return the classes of the tree by their own codes."""
    found = {base.code: base}
    for kind in base.__subclasses__():
        if kind.__module__ == base.__module__:
            found.update(_classes(kind))
    return found


def _error_of(response: httpx.Response) -> SightlineError:
    try:
        return error_from(response.json()["error"], status=response.status_code)
    except (KeyError, TypeError, ValueError):
        kind = _STATUSES.get(response.status_code, ServerError)
        shown = " ".join(response.text.split())[:MOST_SHOWN_CHARS]
        where = response.headers.get("Location")
        more = f", it leads to {where}: use that address" if where else ""
        return kind(
            f"{response.request.method} {response.request.url.copy_with(query=None)} answered "
            f"{response.status_code} {response.reason_phrase}{more}: {shown or 'nothing'}",
            code=f"http_{response.status_code}",
        )
