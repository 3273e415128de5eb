"""A short way to the routes that take nothing but the request: one look-up finds and calls them.

FastAPI tries every route in turn and prepares parameters and exit stacks for each call. A route
that reads the request by itself needs none of that; in the schema it stays as it was declared.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Match, request_response
from starlette.types import ASGIApp, Receive, Scope, Send

_APP = "sightline.direct_route"


class DirectRoutes(BaseRoute):
    """Those of some routes whose path is fixed and whose only parameter is the request.

    What it does not know it leaves to the routes after it: other methods, a path under a prefix.
    """

    def __init__(self, routes: Iterable[BaseRoute]) -> None:
        """Take what is direct among ``routes``."""
        self._found: dict[tuple[str, str], tuple[APIRoute, ASGIApp]] = {}
        for route in routes:
            if isinstance(route, APIRoute) and is_direct(route):
                app = request_response(route.endpoint)
                for method in route.methods or ():
                    self._found.setdefault((method, route.path), (route, app))

    def __len__(self) -> int:
        return len(self._found)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Return whether a request is for one of these routes."""
        if scope["type"] != "http":
            return Match.NONE, {}
        found = self._found.get((scope["method"], scope["path"]))
        if found is None:
            return Match.NONE, {}
        route, app = found
        return Match.FULL, {
            "endpoint": route.endpoint,
            "route": route,
            "path_params": {},
            _APP: app,
        }

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the route that was found."""
        await scope[_APP](scope, receive, send)


def is_direct(route: APIRoute) -> bool:
    """Return whether a route has a fixed path and one parameter, the request."""
    parameters = inspect.signature(route.endpoint, eval_str=True).parameters.values()
    return [parameter.annotation for parameter in parameters] == [Request] and (
        "{" not in route.path and not route.dependencies
    )
