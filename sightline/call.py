"""A request to the service with the reading of its answer: what both clients send.

A call is a value without a connection, so building requests and parsing answers exists once; the
two clients differ only in how they wait.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeAlias, TypeVar

import httpx

from core.errors import ServerError, UsageError
from core.types import JSONValue
from sightline.retries import Repeat

Answer = TypeVar("Answer")

JSONAnswer: TypeAlias = Any
"""A parsed JSON answer; reading it raises KeyError or TypeError where it is not as expected."""

MOST_SHOWN_CHARS = 200


@dataclass(frozen=True, slots=True)
class Call(Generic[Answer]):
    """One request, ready to be sent any number of times."""

    method: str
    path: str
    """Below the address of the service; ids in it are escaped already."""
    parse: Callable[[httpx.Response], Answer] = field(repr=False)
    """Reads a successful answer."""
    params: Mapping[str, str] = field(default_factory=dict)
    json: Mapping[str, JSONValue] | None = field(default=None, repr=False)
    form: Mapping[str, str | list[str]] | None = field(default=None, repr=False)
    """Text parts of a multipart form."""
    images: Sequence[bytes] = field(default=(), repr=False)
    """File parts ``image`` of a multipart form."""
    headers: Mapping[str, str] = field(default_factory=dict)
    repeat: Repeat = Repeat.ALWAYS

    def request(self, http: httpx.Client | httpx.AsyncClient) -> httpx.Request:
        """Return the request of one attempt."""
        return http.build_request(
            self.method,
            self.path,
            params=self.params or None,
            json=self.json,
            data=self.form,
            files=[("image", (f"{place}", data)) for place, data in enumerate(self.images)] or None,
            headers=self.headers,
        )

    def answer(self, response: httpx.Response) -> Answer:
        """Read a successful answer.

        Raises:
            ServerError: it is not what the service answers.
        """
        try:
            return self.parse(response)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            shown = response.text[:MOST_SHOWN_CHARS] if response.content else "nothing"
            raise ServerError(
                f"{self.method} {response.request.url} answered {response.status_code} with "
                f"something else than Sightline does ({error!r}): {shown}",
                code="invalid_answer",
            ) from error


def json_body(response: httpx.Response) -> JSONAnswer:
    """Return the JSON of an answer.

    Raises:
        ValueError: it is none.
    """
    return response.json()


def given(**fields: JSONValue) -> dict[str, JSONValue]:
    """Return the fields that are set: what is ``None`` is left to the service's own default."""
    return {name: value for name, value in fields.items() if value is not None}


def form_of(fields: Mapping[str, JSONValue]) -> dict[str, str | list[str]]:
    """Return the fields of a JSON body as text parts of a form: lists and objects as JSON."""
    return {
        name: value if isinstance(value, str) else json.dumps(value, allow_nan=False)
        for name, value in fields.items()
    }


def check_address(url: str) -> str:
    """Return the address of a service if it is one.

    Raises:
        UsageError: not ``http://`` or ``https://`` with a host.
    """
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise UsageError(f"{url!r} is no address: {error}", param="url") from error
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise UsageError(
            f"{url!r} is no address of a service; give one such as http://127.0.0.1:8000",
            param="url",
        )
    return url.rstrip("/")
