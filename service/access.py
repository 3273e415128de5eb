"""How routes reach the engine and what they check first."""

from __future__ import annotations

from fastapi import Request

from core.errors import ConflictError, NotReadyError
from service.engine import Engine
from service.errors import out_of_range


def engine_of(request: Request) -> Engine:
    """Return the open engine of the app.

    Raises:
        NotReadyError: the app has not started yet.
    """
    engine = request.app.state.engine
    if not isinstance(engine, Engine):
        raise NotReadyError("the service is starting: model and gallery are not open yet")
    return engine


def writable_engine_of(request: Request) -> Engine:
    """Return the engine for a request that changes something.

    Raises:
        ConflictError: the service was started read-only (403).
    """
    engine = engine_of(request)
    if engine.settings.read_only:
        raise ConflictError(
            "this service is read-only; ask its operator (setting read_only)", code="read_only"
        )
    return engine


def check_count(count: int, *, limit: int, what: str, param: str) -> None:
    """Refuse more than the limit of something.

    Raises:
        UsageError: out of range (422).
    """
    if count > limit:
        raise out_of_range(
            f"{count} {what} in one request, the limit is {limit}; send fewer", param=param
        )


def check_text(text: str, *, limit_chars: int, param: str) -> None:
    """Refuse a text that is far longer than any model reads.

    Raises:
        UsageError: out of range (422).
    """
    if len(text) > limit_chars:
        raise out_of_range(
            f"{param} has {len(text)} characters, the limit is {limit_chars}; shorten it",
            param=param,
        )
