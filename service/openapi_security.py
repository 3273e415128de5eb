"""What the OpenAPI document says of API keys: two ways to send one, and where it is needed."""

from __future__ import annotations

from typing import Any

from service.scopes import RouteScopes

_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "an API key: sl_..."},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}


def add_security(document: dict[str, Any], scopes: RouteScopes) -> dict[str, Any]:
    """Return a copy of a document in which each operation names the keys that it needs."""
    paths = {
        path: {
            method: _secured(operation, scopes, method.upper(), path)
            for method, operation in operations.items()
        }
        for path, operations in document["paths"].items()
    }
    components = {**document["components"], "securitySchemes": _SCHEMES}
    return {**document, "paths": paths, "components": components}


def _secured(
    operation: dict[str, Any], scopes: RouteScopes, method: str, path: str
) -> dict[str, Any]:
    needed = scopes.needed(method, path)
    if needed is None:
        return operation
    summary = f"{operation.get('description', '')}\n\nNeeds a key with the scope `{needed}`."
    ways: list[dict[str, list[str]]] = [{name: []} for name in _SCHEMES]
    return {**operation, "description": summary.strip(), "security": ways}
