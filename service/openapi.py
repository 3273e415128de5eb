"""The OpenAPI document: bodies that routes read themselves, examples, the shape of errors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from core.types import JSONObject, JSONValue
from service import schemas

_REFERENCE = "#/components/schemas/{model}"
_BODIES: tuple[type[BaseModel], ...] = (
    schemas.ClassifyRequest,
    schemas.SearchRequest,
    schemas.AddRequest,
    schemas.AddForm,
    schemas.ItemChange,
    schemas.DeleteRequest,
    schemas.LabelSetRequest,
    schemas.EmbeddingRequest,
)
_ERROR_SCHEMA: JSONObject = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["type", "message", "param", "code"],
            "properties": {
                "type": {"type": "string"},
                "message": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": "string"},
            },
        }
    },
}
_ERRORS = {
    400: "not well-formed",
    403: "read-only",
    404: "unknown id",
    409: "contradicts what is stored",
    413: "too large",
    415: "not an accepted format",
    422: "undecodable or out of range",
    429: "over capacity: try again after Retry-After seconds",
    503: "not ready",
    504: "out of time",
    507: "disk full",
}


def json_body(model: type[BaseModel], *, form: type[BaseModel] | None = None) -> dict[str, Any]:
    """Return ``openapi_extra`` of a route that reads ``model`` as JSON, or also as a form."""
    content: JSONObject = {"application/json": {"schema": _reference(model)}}
    if form is not None:
        content["multipart/form-data"] = {"schema": _form_schema(form)}
    return {"requestBody": {"required": True, "content": content}}


def answers(example: JSONValue, *, errors: Sequence[int] = ()) -> dict[int | str, dict[str, Any]]:
    """Return ``responses`` of a route: an example of success and the errors it can answer."""
    found: dict[int | str, dict[str, Any]] = {
        200: {"description": "done", "content": {"application/json": {"example": example}}}
    }
    schema = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    for status in errors:
        found[status] = {"description": _ERRORS[status], "content": schema}
    return found


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
            components = document.setdefault("components", {}).setdefault("schemas", {})
            components["Error"] = _ERROR_SCHEMA
            _, definitions = models_json_schema(
                [(model, "validation") for model in _BODIES], ref_template=_REFERENCE
            )
            components |= definitions["$defs"]
            app.openapi_schema = document
        return app.openapi_schema

    # FastAPI documents this assignment as the way to change the document.
    app.openapi = openapi  # type: ignore[method-assign]


def _reference(model: type[BaseModel]) -> JSONObject:
    return {"$ref": _REFERENCE.format(model=model.__name__)}


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
