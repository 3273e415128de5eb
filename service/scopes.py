"""What each route demands of a key: one table for all of them, checked before anything else.

A route that is missing here demands too much rather than too little, and fails a test.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from service.keys import Scope
from service.settings import Settings

SCOPES: Mapping[str, Scope | None] = MappingProxyType(
    {
        "GET /v1/search": Scope.READ,
        "POST /v1/search": Scope.READ,
        "POST /v1/classify": Scope.READ,
        "POST /v1/embeddings": Scope.READ,
        "POST /embeddings": Scope.READ,
        "GET /v1/models": Scope.READ,
        "GET /v1/models/{model}": Scope.READ,
        "GET /v1/fields": Scope.READ,
        "GET /v1/fields/{name}/values": Scope.READ,
        "GET /v1/gallery": Scope.READ,
        "GET /v1/items": Scope.READ,
        "GET /v1/items/{item_id}": Scope.READ,
        "GET /v1/items/{item_id}/image": Scope.READ,
        "GET /v1/items/{item_id}/thumbnail": Scope.READ,
        "GET /v1/label-sets": Scope.READ,
        "GET /v1/label-sets/{name}": Scope.READ,
        "GET /v1/label-sets/{name}/fits": Scope.READ,
        "GET /v1/template-sets": Scope.READ,
        "GET /v1/judgements": Scope.READ,
        "GET /v1/judgements/quality": Scope.READ,
        "GET /v1/judgements/export": Scope.READ,
        "GET /v1/reports": Scope.READ,
        "GET /v1/reports/{name}/page": Scope.READ,
        "POST /knn-service": Scope.READ,
        "POST /metadata": Scope.READ,
        "GET /indices-list": Scope.READ,
        "GET /config.json": Scope.READ,
        "POST /predict": Scope.READ,
        "POST /v1/items": Scope.WRITE,
        "POST /v1/fields": Scope.WRITE,
        "DELETE /v1/fields/{name}": Scope.WRITE,
        "POST /v1/items/delete": Scope.WRITE,
        "PATCH /v1/items/{item_id}": Scope.WRITE,
        "DELETE /v1/items/{item_id}": Scope.WRITE,
        "POST /v1/label-sets": Scope.WRITE,
        "POST /v1/label-sets/{name}/examples": Scope.WRITE,
        "POST /v1/label-sets/{name}/calibrate": Scope.WRITE,
        "GET /v1/health": Scope.ADMIN,
        "PUT /v1/judgements": Scope.WRITE,
        "DELETE /v1/judgements": Scope.WRITE,
        "GET /metrics": Scope.ADMIN,
        "GET /metrics-summary": Scope.ADMIN,
        "GET /docs": Scope.READ,
        "GET /docs/{name}": Scope.READ,
        "GET /docs/start.js": Scope.READ,
        "GET /openapi.json": Scope.READ,
        "GET /": Scope.READ,
        "GET /static": Scope.READ,
        "POST /v1/session": None,
        "DELETE /v1/session": None,
        "GET /healthz": None,
        "GET /readyz": None,
        "GET /ping": None,
    }
)
"""Scope of each route, as the route writes its path; ``None``: it needs no key.

``POST /v1/session`` checks the key itself. Probes and health checks cannot carry keys.
"""

_SAFE_METHODS = frozenset({"GET", "HEAD"})
_PAGE = frozenset({"GET /", "GET /static"})
_DOCS = frozenset({"GET /docs", "GET /docs/{name}", "GET /docs/start.js", "GET /openapi.json"})
_METRICS = frozenset({"GET /metrics", "GET /metrics-summary"})


class RouteScopes:
    """The scopes under the settings of one service."""

    def __init__(self, settings: Settings) -> None:
        """Take what the settings make public out of the table."""
        public: frozenset[str] = frozenset()
        if settings.public_page:
            public |= _PAGE
        if settings.public_docs:
            public |= _DOCS
        if settings.public_metrics:
            public |= _METRICS
        scopes = {route: None if route in public else scope for route, scope in SCOPES.items()}
        self._exact = {route: scope for route, scope in scopes.items() if "{" not in route}
        self._patterns = [
            (_pattern(route), scope) for route, scope in scopes.items() if "{" in route
        ]

    def needed(self, method: str, path: str) -> Scope | None:
        """Return the scope that a request needs; ``None``: any request may come."""
        asked = "GET" if method == "HEAD" else method
        if path.startswith("/static/"):
            path = "/static"
        route = f"{asked} {path}"
        if route in self._exact:
            return self._exact[route]
        for pattern, scope in self._patterns:
            if pattern.match(route):
                return scope
        return Scope.READ if method in _SAFE_METHODS else Scope.ADMIN


def _pattern(route: str) -> re.Pattern[str]:
    """Return the expression that matches the requests of a route as the router does."""
    parts = re.split(r"\{\w+\}", route)
    return re.compile("[^/]+".join(re.escape(part) for part in parts) + r"\Z")
