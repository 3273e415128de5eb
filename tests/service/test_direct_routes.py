"""The short way to routes: the same answers, and only where the request is all they take."""

from __future__ import annotations

import httpx
import pytest
from fastapi import APIRouter, Depends, Request
from fastapi.routing import APIRoute
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Match

from service.direct_routes import DirectRoutes, is_direct

router = APIRouter()


@router.post("/plain")
async def post_plain(request: Request) -> Response:
    """Take the request alone."""
    return PlainTextResponse(f"plain {request.method}")


@router.get("/nothing")
async def get_nothing() -> Response:
    """Take nothing."""
    return PlainTextResponse("nothing")


@router.get("/query")
async def get_query(request: Request, k: int) -> Response:
    """Take a parameter that FastAPI checks."""
    return PlainTextResponse(f"query {k} {request.method}")


@router.get("/parts/{name}")
async def get_part(request: Request, name: str) -> Response:
    """Have a path that varies."""
    return PlainTextResponse(f"{request.method} {name}")


@router.get("/guarded", dependencies=[Depends(get_nothing)])
async def get_guarded(request: Request) -> Response:
    """Depend on something else."""
    return PlainTextResponse(request.method)


def scope(method: str, path: str, kind: str = "http") -> dict[str, object]:
    """Return what a server passes of a request."""
    return {"type": kind, "method": method, "path": path, "headers": []}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/plain", True),
        ("/nothing", False),
        ("/query", False),
        ("/parts/{name}", False),
        ("/guarded", False),
    ],
)
def test_only_a_fixed_path_with_the_request_alone_is_direct(path: str, *, expected: bool) -> None:
    """Whatever needs FastAPI at run time stays with it."""
    (route,) = [
        route for route in router.routes if isinstance(route, APIRoute) and route.path == path
    ]

    assert is_direct(route) is expected


def test_a_request_is_found_by_method_and_path() -> None:
    """The route itself is named, for the metrics; all else is left to the routes after it."""
    direct = DirectRoutes(router.routes)
    match, child = direct.matches(scope("POST", "/plain"))

    assert len(direct) == 1
    assert match is Match.FULL
    assert child["route"].path == "/plain"
    assert child["path_params"] == {}
    for other in (scope("GET", "/plain"), scope("POST", "/plain/"), scope("POST", "/query")):
        assert direct.matches(other) == (Match.NONE, {})
    assert direct.matches({"type": "lifespan"}) == (Match.NONE, {})


def test_the_first_of_two_routes_counts() -> None:
    """As the router itself does it."""

    async def second(request: Request) -> Response:
        return PlainTextResponse(f"second {request.method}")

    routes = [*router.routes, APIRoute("/plain", second, methods=["POST"])]

    assert DirectRoutes(routes).matches(scope("POST", "/plain"))[1]["endpoint"] is post_plain


def test_a_direct_route_refuses_other_methods(colours: httpx.Client) -> None:
    """The methods of a path are listed as those of any other route."""
    found = colours.request("PUT", "/v1/embeddings")

    assert found.status_code == 405
    assert found.headers["allow"] == "POST"


def test_a_direct_route_answers_errors_in_the_one_shape(colours: httpx.Client) -> None:
    """Failures pass the same handlers, and are counted under the route's path."""
    found = colours.post("/v1/embeddings", json={"input": ["a"], "model": "unknown"})

    assert found.status_code == 404
    assert found.json()["error"]["code"] == "model_not_found"
    text = colours.get("/metrics").text
    assert 'route="/v1/embeddings",status="404"' in text
