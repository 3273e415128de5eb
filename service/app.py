"""The web application: settings in, FastAPI app out. Importing this module loads no model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from importlib.metadata import PackageNotFoundError, version
from itertools import chain
from types import ModuleType

from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

from encoders.encoder import Encoder
from service.admission import Admission
from service.backlog import Backlog, BacklogLimits
from service.body_limit import BodyLimit
from service.direct_routes import DirectRoutes
from service.engine import Engine, open_engine
from service.errors import install_error_handlers
from service.key_gate import Access, KeyGate
from service.key_ring import KeyRing
from service.keys import keys_path
from service.metrics import Metrics
from service.middleware import EscapedSlashes, RequestContext
from service.openapi import install_openapi, operation_id
from service.routes import (
    classify,
    clip_retrieval,
    embeddings,
    fields,
    health,
    health_report,
    images,
    immich,
    items,
    judgements,
    label_sets,
    page,
    reports,
    search,
    session,
    template_sets,
)
from service.sessions import Sessions
from service.settings import Settings, Wire
from service.tracing import Tracer, open_tracer

_DESCRIPTION = (
    "Image search and zero-shot labels with a CLIP-style dual encoder. Every answer carries "
    '`X-Request-ID`; every error has the shape `{"error": {type, message, param, code}}`.'
)

_ROUTES: tuple[ModuleType, ...] = (
    search,
    classify,
    items,
    images,
    label_sets,
    template_sets,
    embeddings,
    fields,
    judgements,
    reports,
    health,
    health_report,
    session,
    page,
)
_WIRES: Mapping[Wire, ModuleType] = {"clip-retrieval": clip_retrieval, "immich": immich}


def create_app(
    settings: Settings,
    *,
    encoder: Encoder | None = None,
    engine: Engine | None = None,
    metrics: Metrics | None = None,
    sessions: Sessions | None = None,
) -> FastAPI:
    """Return the app. Start-up opens the engine, shutdown closes it.

    Args:
        settings: everything an operator can set.
        encoder: a loaded encoder to use instead of loading ``settings.model``.
        engine: an open engine to use instead of opening one; the app closes it.
        metrics: the metrics that ``engine`` reports to.
        sessions: the cookies of the page, where other processes have to know them.
    """
    metrics = metrics or Metrics()
    access = Access(keys=KeyRing(keys_path(settings.gallery)), sessions=sessions or Sessions())
    backlog = _published_backlog(metrics, settings)
    tracer = open_tracer(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        opened = engine
        if opened is None:
            opened = await asyncio.to_thread(
                open_engine, settings, metrics=metrics, encoder=encoder
            )
        app.state.engine = opened
        try:
            yield
        finally:
            await asyncio.to_thread(opened.close)
            if tracer is not None:
                await asyncio.to_thread(tracer.close)

    app = FastAPI(
        title="Sightline",
        version=_version(),
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=operation_id,
        lifespan=lifespan,
        middleware=_middleware(
            settings,
            metrics,
            backlog,
            access,
            tracer=tracer,
            is_draining=lambda: _is_draining(app.state.engine),
        ),
    )
    _keep_state(app, settings=settings, access=access, metrics=metrics, engine=None)
    app.state.backlog = backlog
    install_error_handlers(app, retry_after_s=settings.retry_after_s)
    install_openapi(app)
    _add_routes(app, settings)
    return app


def _keep_state(app: FastAPI, **parts: object) -> None:
    """Give routes what they work with, by name."""
    for name, part in parts.items():
        setattr(app.state, name, part)


def _published_backlog(metrics: Metrics, settings: Settings) -> Backlog:
    backlog, live = Backlog(backlog_limits(settings)), metrics.live
    live.add_gauge("cost_in_flight", "Cost units admitted and not done.", lambda: backlog.cost)
    live.add_gauge("cost_limit", "Cost units that are admitted.", lambda: settings.max_cost)
    live.add_gauge("bytes_in_flight", "Bytes of request bodies.", lambda: backlog.bytes)
    return backlog


def _add_routes(app: FastAPI, settings: Settings) -> None:
    wires = [wire for name, wire in _WIRES.items() if name in settings.wires]
    routers = [module.router for module in (*_ROUTES, *wires)]
    app.router.routes.append(DirectRoutes(chain.from_iterable(each.routes for each in routers)))
    for router in routers:
        app.include_router(router)
    app.mount("/static", page.page_files(), name="static")


def _version() -> str:
    """Return the version of the installed package."""
    try:
        return version("sightline")
    except PackageNotFoundError:
        # A checkout on the Python path, without an installation.
        return "unknown"


def backlog_limits(settings: Settings) -> BacklogLimits:
    """Return how much may be in flight."""
    return BacklogLimits(
        max_requests=settings.max_requests,
        max_cost=settings.max_cost,
        max_bytes=settings.max_bytes_in_flight,
        retry_after_s=settings.retry_after_s,
    )


def _middleware(
    settings: Settings,
    metrics: Metrics,
    backlog: Backlog,
    access: Access,
    *,
    tracer: Tracer | None,
    is_draining: Callable[[], bool],
) -> list[Middleware]:
    """Return the middlewares from the outside in."""
    found = [
        Middleware(
            RequestContext,
            metrics=metrics,
            timeout_s=settings.request_timeout_s,
            access_log=settings.access_log,
            tracer=tracer,
        )
    ]
    if settings.cors_origins:
        found.append(
            Middleware(
                CORSMiddleware,
                allow_origins=settings.cors_origins,
                allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
                # Never with credentials: no foreign page may use the cookie of ours.
                allow_headers=[
                    "Authorization",
                    "Content-Type",
                    "Idempotency-Key",
                    "X-Request-Timeout",
                    "X-API-Key",
                    "X-Request-ID",
                ],
                expose_headers=["X-Request-ID", "Retry-After"],
            )
        )
    return [
        *found,
        # Before the gate: both must see the path that the router will see.
        Middleware(EscapedSlashes),
        Middleware(KeyGate, settings=settings, access=access, metrics=metrics),
        Middleware(BodyLimit, max_bytes=settings.max_body_bytes),
        Middleware(
            Admission,
            metrics=metrics,
            backlog=backlog,
            body_timeout_s=settings.body_timeout_s,
            is_draining=is_draining,
        ),
    ]


def _is_draining(engine: object) -> bool:
    return isinstance(engine, Engine) and engine.draining
