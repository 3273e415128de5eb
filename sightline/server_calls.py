"""The service itself: what it holds, what it runs, whether it is ready."""

from __future__ import annotations

from sightline.answers import Gallery, Model, read_gallery, read_models
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
