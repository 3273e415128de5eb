"""The OpenAPI document: bodies that routes read themselves, answers, examples, errors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute, iter_route_contexts
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from core.types import JSONObject, JSONValue
from service import answers as answer_models
from service import (
    embedding_schemas,
    health_answers,
    judgement_schemas,
    label_answers,
    label_schemas,
    schemas,
    wire_schemas,
)
from service.answers import Error
from service.openapi_security import add_security
from service.scopes import RouteScopes

_MODULES = (
    schemas,
    label_schemas,
    embedding_schemas,
    judgement_schemas,
    wire_schemas,
    answer_models,
    label_answers,
    health_answers,
)
_REFERENCE = "#/components/schemas/{model}"
_FRAMEWORK_SCHEMAS = ("HTTPValidationError", "ValidationError")
_RETRY_AFTER = {"schema": {"type": "integer", "minimum": 0}, "description": "seconds to wait"}
_REQUEST_ID: JSONObject = {
    "schema": {"type": "string"},
    "description": "the request's own, or one that was made for it",
    "required": True,
}

ERRORS: dict[int, tuple[str, str, str]] = {
    400: ("not well-formed", "invalid_request", "invalid_query"),
    401: ("the API key is missing or unknown", "unauthenticated", "missing_key"),
    403: ("read-only, or the API key may not do this", "forbidden", "scope"),
    404: ("unknown id", "not_found", "not_found"),
    409: ("contradicts what is stored", "conflict", "idempotency_key_reused"),
    413: ("too large", "too_large", "body_too_large"),
    415: ("not an accepted format", "invalid_image", "image_unsupported"),
    422: ("undecodable or out of range", "invalid_request", "out_of_range"),
    429: ("over capacity: try again after Retry-After seconds", "busy", "busy"),
    502: ("an image by URL could not be loaded", "fetch", "fetch"),
    503: ("not ready: try again after Retry-After seconds", "not_ready", "not_ready"),
    504: ("out of time", "deadline", "deadline"),
    507: ("disk full: nothing was stored", "storage", "storage_full"),
}
"""Each status of an error: what it means, and ``type`` and ``code`` of its example."""

EVERYWHERE = (400, 401, 403, 413, 429, 503, 504)
"""What stands in front of every route can answer: limits, keys, admission, deadline."""

_MAY_SUCCEED_LATER = frozenset({429, 503})


def json_body(model: type[BaseModel], *, form: type[BaseModel] | None = None) -> dict[str, Any]:
    """Return ``openapi_extra`` of a route that reads ``model`` as JSON, or also as a form."""
    content: JSONObject = {"application/json": {"schema": reference(model)}}
    if form is not None:
        content["multipart/form-data"] = {"schema": _form_schema(form)}
    return {"requestBody": {"required": True, "content": content}}


def answers(
    example: JSONValue,
    *,
    errors: Sequence[int] = (),
    model: type[BaseModel] | None = None,
) -> dict[int | str, dict[str, Any]]:
    """Return ``responses`` of a route: schema and example of success, and each error."""
    content: JSONObject = {"example": example}
    if model is not None:
        content["schema"] = reference(model)
    return {200: succeeds({"application/json": content}), **refusals(errors)}


def succeeds(content: JSONObject, *, description: str = "done") -> dict[str, Any]:
    """Return the documentation of an answer with these media types."""
    return {
        "description": description,
        "headers": {"X-Request-ID": _REQUEST_ID},
        "content": content,
    }


def refusals(errors: Sequence[int]) -> dict[int | str, dict[str, Any]]:
    """Return the documentation of these errors, and of those that any route can answer."""
    return {status: _refusal(status) for status in sorted({*errors, *EVERYWHERE})}


def reference(model: type[BaseModel]) -> JSONObject:
    """Return the reference to the schema of a model."""
    return {"$ref": _REFERENCE.format(model=model.__name__)}


def operation_id(route: APIRoute) -> str:
    """Return the name of an operation: that of its function, which stays."""
    return route.name


def install_openapi(app: FastAPI) -> None:
    """Make ``app.openapi()`` know the schemas of the bodies that routes read themselves."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(
                title=app.title,
                version=app.version,
                description=app.description,
                routes=app.routes,
            )
            _drop_framework_errors(document)
            _restore_examples(document, app)
            _add_schemas(document)
            app.openapi_schema = document
        if app.state.access.keys.is_closed():
            return add_security(app.openapi_schema, RouteScopes(app.state.settings))
        return app.openapi_schema

    # FastAPI documents this assignment as the way to change the document.
    app.openapi = openapi  # type: ignore[method-assign]


def _add_schemas(document: dict[str, Any]) -> None:
    """Add the schemas that the document refers to, and those that they refer to."""
    models = [
        model
        for module in _MODULES
        for model in vars(module).values()
        if _is_model_of(module, model)
    ]
    _, found = models_json_schema(
        [(model, "validation") for model in models], ref_template=_REFERENCE
    )
    known = document.setdefault("components", {}).setdefault("schemas", {})
    missing = set(_references(document)) - known.keys()
    while missing:
        known |= {name: found["$defs"][name] for name in missing}
        missing = set(_references(known)) - known.keys()


def _references(value: object) -> Iterator[str]:
    """Yield the names of the schemas that are referred to anywhere inside."""
    if isinstance(value, dict):
        if isinstance(target := value.get("$ref"), str):
            yield target.rsplit("/", 1)[-1]
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from _references(inner)


def _is_model_of(module: ModuleType, value: object) -> bool:
    is_model = isinstance(value, type) and issubclass(value, BaseModel)
    return is_model and getattr(value, "__module__", "") == module.__name__


def _drop_framework_errors(document: dict[str, Any]) -> None:
    """Take out the shape of errors that FastAPI supposes; ours is in the routes."""
    for operation in _operations(document):
        answer = operation["responses"].get("422", {}).get("content", {})
        schema = answer.get("application/json", {}).get("schema", {})
        if schema.get("$ref", "").endswith("/HTTPValidationError"):
            operation["responses"]["422"] = _refusal(422)
    for name in _FRAMEWORK_SCHEMAS:
        document.get("components", {}).get("schemas", {}).pop(name, None)


def _restore_examples(document: dict[str, Any], app: FastAPI) -> None:
    """Put the examples of answers back as they are: FastAPI leaves out what is null."""
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if not isinstance(route, APIRoute) or not route.include_in_schema:
            continue
        for method in route.methods or ():
            described = document["paths"][route.path_format][method.lower()]["responses"]
            for status, answer in route.responses.items():
                for kind, content in answer.get("content", {}).items():
                    if "example" in content:
                        described[str(status)]["content"][kind]["example"] = content["example"]


def _operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in document["paths"].values():
        yield from path.values()


def _refusal(status: int) -> dict[str, Any]:
    description, kind, code = ERRORS[status]
    message = f"{description}; the message names the value, the limit and the remedy"
    detail: JSONObject = {"type": kind, "message": message, "param": None, "code": code}
    headers: dict[str, Any] = {"X-Request-ID": _REQUEST_ID}
    if status in _MAY_SUCCEED_LATER:
        headers["Retry-After"] = _RETRY_AFTER
    content = {"application/json": {"schema": reference(Error), "example": {"error": detail}}}
    return {"description": description, "headers": headers, "content": content}


def _form_schema(model: type[BaseModel]) -> JSONObject:
    """Return the parts of a form: files, and text fields that the model of the JSON body checks."""
    # Swagger UI offers to choose a file for this format only.
    file: JSONObject = {"type": "string", "format": "binary"}
    parts: JSONObject = {"image": {"type": "array", "items": file, "description": "image files"}}
    for name, field in model.model_fields.items():
        if not name.startswith("image"):
            # Without an example the form would come filled with the word "string".
            text: JSONObject = {"type": "string", "example": ""}
            parts[name] = {**text, "description": field.description or ""}
    return {"type": "object", "properties": parts}
