"""Answers: strict JSON, serialised in one pass."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic_core import to_json
from starlette.responses import Response

from core.types import JSONValue


def json_response(
    value: JSONValue, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return ``value`` as JSON; a float that is not finite becomes ``null``."""
    return Response(
        to_json(value, inf_nan_mode="null"),
        status_code=status,
        media_type="application/json",
        headers=dict(headers or {}),
    )
