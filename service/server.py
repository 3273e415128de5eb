"""Running the app: early checks, the socket, uvicorn, a drain that drops nothing."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import FrameType

import uvicorn

from core.errors import ConfigError
from core.log import configure_logging
from encoders.encoder import Encoder
from service.app import create_app
from service.engine import Engine, open_engine
from service.keys import keys_path, read_keys
from service.listening import bound_socket, url_of
from service.metrics import Metrics
from service.origins import is_loopback
from service.protocol import ConnectionLimits, limited_protocol
from service.sessions import Sessions
from service.settings import Settings
from service.tracing import check_tracing

logger = logging.getLogger(__name__)

_BACKLOG = 1024
_STOPPING_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_KEEP_ALIVE_S = 75
"""Seconds that an idle connection is kept: longer than proxies (60) and clients (5) keep theirs, so
that this side never closes one just when a request is on its way."""
_CLOSING_S = 10.0
"""Seconds to close engine and gallery after the drain; then the process ends all the same."""


@dataclass(frozen=True, slots=True)
class ProcessPart:
    """What makes this process one of several behind one port."""

    own_port: int
    """The port that it alone listens on as well; 0 takes a free one."""
    session_secret: bytes
    """Signs the cookies of the page, the same in all of them."""


class Server(uvicorn.Server):
    """Uvicorn that says when it is ready, and tells the engine when it begins to stop."""

    def __init__(
        self, config: uvicorn.Config, *, engine: Engine, on_started: Callable[[], None]
    ) -> None:
        """Run ``config`` over an open engine."""
        super().__init__(config)
        self._engine = engine
        self._on_started = on_started
        self._last_resort: threading.Timer | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start listening, then report it."""
        await super().startup(sockets)
        if not self.should_exit:
            self._on_started()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Turn readiness off first, then let what was accepted finish."""
        self._engine.draining = True
        if self._last_resort is None:
            settings = self._engine.settings
            limit_s = settings.drain_notice_s + settings.drain_timeout_s + _CLOSING_S
            self._last_resort = threading.Timer(limit_s, _end_process, [limit_s])
            self._last_resort.daemon = True
            self._last_resort.start()
        super().handle_exit(sig, frame)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Listen to signals while the server runs.

        Uvicorn would raise them again afterwards and so end the process by them; a drain is a
        success.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in _STOPPING_SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Say for a while that this service is stopping, then close the port and drain.

        Connections that wait to be accepted get their 503 this way instead of a reset.
        """
        logger.info("draining")
        if not self.force_exit:
            await asyncio.sleep(self._engine.settings.drain_notice_s)
        await super().shutdown(sockets)

    def stopped(self) -> None:
        """Note that the process ends by itself: the last resort is not needed."""
        if self._last_resort is not None:
            self._last_resort.cancel()


def run_server(
    settings: Settings,
    *,
    on_ready: Callable[[str], None] | None = None,
    encoder: Encoder | None = None,
    part: ProcessPart | None = None,
) -> None:
    """Serve until SIGTERM or Ctrl-C, then finish the requests in flight and return.

    Port and model and gallery are opened first, so that what cannot work fails with one message.

    Args:
        settings: everything an operator can set.
        on_ready: called with the address, for example ``http://127.0.0.1:8000``, once it answers.
        encoder: a loaded encoder to use instead of loading ``settings.model``.
        part: where this is one of several processes; ``on_ready`` gets its own address then.

    Raises:
        ConfigError: settings that ask for several processes, which ``serve_in_processes`` starts.
        SightlineError: the port is taken, or the model or the gallery cannot be opened.
    """
    configure_logging(log_format=settings.log_format, level=settings.log_level)
    refuse_exposure(settings)
    check_tracing(settings)
    if settings.processes > 1:
        raise ConfigError(f"processes = {settings.processes}: use 'sightline serve' to start them")
    with ExitStack() as opened:
        listeners = [bound_socket(settings.host, settings.port, shared=part is not None)]
        if part is not None:
            listeners.append(bound_socket(settings.host, part.own_port))
        for listener in listeners:
            opened.enter_context(listener)
        metrics = Metrics()
        engine = open_engine(settings, metrics=metrics, encoder=encoder)
        try:
            address = url_of(settings.host, listeners[-1].getsockname()[1])
            server = Server(
                _uvicorn_config(settings, engine, metrics, part),
                engine=engine,
                on_started=lambda: on_ready(address) if on_ready else None,
            )
            try:
                server.run(sockets=listeners)
                engine.close()
                logger.info("stopped")
            finally:
                server.stopped()
        finally:
            engine.close()


def connection_limits(settings: Settings) -> ConnectionLimits:
    """Return what one connection may do."""
    return ConnectionLimits(
        head_timeout_s=settings.head_timeout_s,
        body_timeout_s=settings.body_timeout_s,
        max_head_bytes=settings.max_head_bytes,
    )


def _end_process(limit_s: float) -> None:
    """Leave a process that hangs: what was acknowledged is on disk, see docs/gallery.md."""
    logger.critical("did not stop in time", extra={"limit_s": limit_s})
    logging.shutdown()
    os._exit(1)


def refuse_exposure(settings: Settings) -> None:
    """Refuse to listen for other machines where whoever reaches the service may use it.

    Raises:
        ConfigError: the host is not this machine's own, there are no keys, and ``allow_open`` is
            not set.
        SightlineError: the keys cannot be read.
    """
    keys = read_keys(keys_path(settings.gallery))
    if keys is None and not settings.allow_open and not is_loopback(settings.host):
        raise ConfigError(
            f"host = {settings.host}: other machines can reach this address, and the gallery "
            f"{settings.gallery} has no API keys; make one with 'sightline keys add NAME --scope "
            "read', or set allow_open (SIGHTLINE_ALLOW_OPEN=true) where something else guards it"
        )


def _uvicorn_config(
    settings: Settings, engine: Engine, metrics: Metrics, part: ProcessPart | None = None
) -> uvicorn.Config:
    sessions = None if part is None else Sessions(part.session_secret)
    return uvicorn.Config(
        create_app(settings, engine=engine, metrics=metrics, sessions=sessions),
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        forwarded_allow_ips=list(settings.trusted_proxies),
        backlog=_BACKLOG,
        http=limited_protocol(connection_limits(settings)),
        ws="none",
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=max(1, round(settings.drain_timeout_s)),
    )
