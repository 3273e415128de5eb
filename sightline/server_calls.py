"""The service itself: what it holds, what it runs, whether it is ready."""

from __future__ import annotations

from urllib.parse import quote

import httpx

from sightline.answers import (
    FieldUse,
    Gallery,
    Model,
    read_fields,
    read_gallery,
    read_models,
)
from sightline.call import Call, json_body
from sightline.retries import Repeat


def gallery_call() -> Call[Gallery]:
    """Return the request of what the service holds."""
    return Call("GET", "/v1/gallery", lambda response: read_gallery(json_body(response)))


def models_call() -> Call[tuple[Model, ...]]:
    """Return the request of the models that the service runs."""
    return Call("GET", "/v1/models", lambda response: read_models(json_body(response)))


def ready_call() -> Call[str]:
    """Return the request that asks for readiness now; the answer is the status."""
    return Call(
        "GET", "/readyz", lambda response: str(json_body(response)["status"]), repeat=Repeat.NEVER
    )


def fields_call() -> Call[tuple[FieldUse, ...]]:
    """Return the request of the metadata fields."""
    return Call("GET", "/v1/fields", lambda response: read_fields(json_body(response)))


def index_field_call(name: str) -> Call[bool]:
    """Return the request that indexes a field; the answer is whether it was not indexed before."""
    return Call(
        "POST",
        "/v1/fields",
        lambda response: bool(json_body(response)["status"] == "created"),
        json={"name": name},
    )


def drop_field_call(name: str) -> Call[None]:
    """Return the request that forgets the index of a field; sent twice the second finds none."""
    return Call(
        "DELETE",
        f"/v1/fields/{quote(name, safe='').replace('.', '%2E')}",
        _dropped,
        repeat=Repeat.UNPROCESSED,
    )


def _dropped(response: httpx.Response) -> None:
    json_body(response)
