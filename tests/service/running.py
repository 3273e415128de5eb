"""A real server on loopback for tests: uvicorn in a thread, a fake encoder, a real gallery."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import httpx
import uvicorn
from starlette.types import ASGIApp

from core.config import from_mapping
from encoders.encoder import Encoder
from service.protocol import limited_protocol
from service.settings import Settings
from tests.fakes import FakeEncoder, picture_bytes

COLOURS = ("red", "green", "blue", "yellow", "white", "black")


class _Server(uvicorn.Server):
    """Uvicorn that says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = threading.Event()

    async def startup(self, sockets: Any = None) -> None:
        """Start listening, then say so."""
        await super().startup(sockets)
        self.listening.set()


@contextmanager
def serving(
    app: ASGIApp, *, http: type[asyncio.Protocol] | Literal["auto"] = "auto"
) -> Iterator[httpx.Client]:
    """Serve an app on a free port and yield a client of it; ``http`` is the protocol's class."""
    server = _Server(
        uvicorn.Config(
            app,
            port=0,
            log_config=None,
            access_log=False,
            http=http,
            ws="none",
            # Of two sides that both close an idle connection after five seconds, the client may
            # just be sending when the server closes: here only the client does.
            timeout_keep_alive=600,
        )
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        while not server.listening.wait(0.05):
            assert thread.is_alive(), "the server did not start"
        port = server.servers[0].sockets[0].getsockname()[1]
        address = f"http://127.0.0.1:{port}"
        with httpx.Client(base_url=address, timeout=60, trust_env=False) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join(60)
        assert not thread.is_alive()


@contextmanager
def running(
    folder: Path, *, encoder: Encoder | None = None, **changes: Any
) -> Iterator[httpx.Client]:
    """Serve a gallery in ``folder`` with changed settings and yield a client of it."""
    from service.app import create_app
    from service.server import connection_limits

    settings = settings_for(folder, **changes)
    app = create_app(settings, encoder=encoder or FakeEncoder())
    with serving(app, http=limited_protocol(connection_limits(settings))) as client:
        yield client


def settings_for(folder: Path, **changes: Any) -> Settings:
    """Return settings of a test: the gallery in ``folder``, no access log."""
    values = {"gallery": folder / "gallery", "access_log": False, "decode_threads": 2, **changes}
    return from_mapping(Settings, values, where="test")


def add_colours(client: httpx.Client) -> None:
    """Add one picture of each colour: its id is the name of the colour, ``n`` its place."""
    items = [
        {"id": name, "caption": f"a {name} square", "metadata": {"n": place}}
        for place, name in enumerate(COLOURS)
    ]
    answer = client.post(
        "/v1/items",
        files=[("image", (f"{name}.png", picture_bytes(name))) for name in COLOURS],
        data={"items": json.dumps(items)},
    )

    assert answer.status_code == 200, answer.text
    assert [entry["status"] for entry in answer.json()["results"]] == ["created"] * len(COLOURS)


def error_of(answer: httpx.Response, status: int) -> dict[str, Any]:
    """Check that an answer is an error of the one shape, and return what it says."""
    assert answer.status_code == status, answer.text
    error: dict[str, Any] = answer.json()["error"]
    assert set(answer.json()) == {"error"}
    assert set(error) == {"type", "message", "param", "code"}
    assert error["message"]
    assert answer.headers["x-request-id"]
    return error
