"""``/v1/session``: the page gives its key once and gets a cookie that lets it read."""

from __future__ import annotations

import time

from fastapi import APIRouter, Request
from starlette.responses import Response

from core.errors import AuthenticationError
from service.answers import EndedSession, SessionAnswer
from service.key_gate import Access
from service.openapi import answers
from service.responses import json_response
from service.senders import sender_of
from service.sessions import COOKIE, SESSION_S

router = APIRouter(tags=["operations"])


@router.post(
    "/v1/session",
    summary="Begin a session",
    responses=answers({"name": "shop", "scope": "read", "seconds": SESSION_S}, model=SessionAnswer),
)
async def post_session(request: Request) -> Response:
    """Exchange an API key for a cookie that scripts cannot read and that lets nobody write."""
    access = request.app.state.access
    assert isinstance(access, Access)
    if not access.keys.is_closed():
        return json_response({"name": None, "scope": None, "seconds": 0})
    secret = sender_of(request.scope).secret
    if secret is None:
        raise AuthenticationError(
            "the request has no API key; send it as 'Authorization: Bearer KEY'", code="missing_key"
        )
    now = time.time()
    key = access.keys.find(secret, now=now)
    response = json_response({"name": key.name, "scope": str(key.scope), "seconds": SESSION_S})
    response.set_cookie(
        COOKIE,
        access.sessions.begin(key.digest, now=now),
        max_age=SESSION_S,
        httponly=True,
        samesite="strict",
        secure=request.scope["scheme"] == "https",
    )
    return response


@router.delete(
    "/v1/session", summary="End the session", responses=answers({"seconds": 0}, model=EndedSession)
)
async def delete_session() -> Response:
    """Forget the cookie; calling it without one is fine."""
    response = json_response({"seconds": 0})
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return response
