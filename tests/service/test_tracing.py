"""Traces: real OTLP to a local collector, and nothing at all where they are off."""

from __future__ import annotations

import http.server
import json
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from core.config import from_mapping
from core.errors import ConfigError
from service import tracing
from service.settings import Settings
from service.tracing import check_tracing, open_tracer
from tests.service.observing import wait_until_ready
from tests.service.running import add_colours, running

ROOT = Path(__file__).parent.parent.parent
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
PARENT_ID = "b7ad6b7169203331"
PRIVATE = "privateword"


class Collector:
    """What arrived."""

    def __init__(self, address: str) -> None:
        """Listen at ``address``."""
        self.address = address
        self.requests: queue.SimpleQueue[tuple[str, bytes]] = queue.SimpleQueue()

    def spans(self) -> list[Span]:
        """Return every span that has arrived."""
        found: list[Span] = []
        while not self.requests.empty():
            path, body = self.requests.get()
            assert path == "/v1/traces"
            request = ExportTraceServiceRequest.FromString(body)
            for resource in request.resource_spans:
                for scope in resource.scope_spans:
                    found += scope.spans
        return found


@contextmanager
def collecting() -> Iterator[Collector]:
    """Run a collector that takes OTLP over HTTP."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                import gzip

                body = gzip.decompress(body)
            collector.requests.put((self.path, body))
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector = Collector(f"http://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join(60)


@pytest.fixture(scope="module")
def spans(tmp_path_factory: pytest.TempPathFactory) -> list[Span]:
    """Return the spans of an add, a search that is part of a trace, and a request that fails."""
    folder = tmp_path_factory.mktemp("traced")
    with collecting() as collector:
        with running(folder, otlp_endpoint=collector.address) as client:
            add_colours(client)
            headers = {
                "traceparent": f"00-{TRACE_ID}-{PARENT_ID}-01",
                "X-Request-ID": "mine",
            }
            client.get("/v1/search", params={"q": f"red {PRIVATE}"}, headers=headers)
            client.get(f"/v1/items/{PRIVATE}")
        # The end of the service has sent what was left.
        return collector.spans()


def attributes_of(span: Span) -> dict[str, object]:
    """Return the attributes of a span."""
    return {
        pair.key: getattr(pair.value, str(pair.value.WhichOneof("value")))
        for pair in span.attributes
    }


def of_search(spans: list[Span]) -> list[Span]:
    """Return the spans of the search."""
    return [span for span in spans if span.trace_id.hex() == TRACE_ID]


def test_a_request_is_part_of_the_trace_that_it_names(spans: list[Span]) -> None:
    """Its span is a child of the one in its ``traceparent``, with the request id."""
    (root,) = [span for span in of_search(spans) if span.kind == Span.SPAN_KIND_SERVER]

    assert root.parent_span_id.hex() == PARENT_ID
    assert root.name == "GET /v1/search"
    assert attributes_of(root) == {
        "http.request.method": "GET",
        "http.route": "/v1/search",
        "http.response.status_code": 200,
        "sightline.request_id": "mine",
    }


def test_the_stages_of_a_search_are_children_of_its_request(spans: list[Span]) -> None:
    """The wait for the model, the model, the scan and the look-up, within the time of the whole."""
    found = of_search(spans)
    (root,) = [span for span in found if span.kind == Span.SPAN_KIND_SERVER]
    children = [span for span in found if span is not root]

    assert {"queue", "model", "search", "scan", "lookup"} <= {span.name for span in children}
    for child in children:
        assert child.parent_span_id == root.span_id
        assert root.start_time_unix_nano <= child.start_time_unix_nano
        assert child.start_time_unix_nano <= child.end_time_unix_nano <= root.end_time_unix_nano


def test_an_add_shows_where_its_time_went(spans: list[Span]) -> None:
    """One decode for each image, the model and the write, in a trace that begins here."""
    (root,) = [span for span in spans if span.name == "POST /v1/items"]
    names = [span.name for span in spans if span.parent_span_id == root.span_id]

    assert not root.parent_span_id
    assert names.count("decode") == 6
    assert {"queue", "model", "write", "add"} <= set(names)


def test_no_span_holds_a_query_or_an_id(spans: list[Span]) -> None:
    """Names are of the code, routes are patterns."""
    assert any(span.name == "GET /v1/items/{item_id}" for span in spans)
    assert not any(PRIVATE in str(span) for span in spans)


def test_spans_of_stages_have_no_attributes(spans: list[Span]) -> None:
    """What is measured is when and how long."""
    stages = [span for span in spans if span.kind != Span.SPAN_KIND_SERVER]

    assert stages
    assert all(not span.attributes for span in stages)


def test_a_trace_that_is_not_kept_elsewhere_is_not_sent(tmp_path: Path) -> None:
    """The last digit of ``traceparent`` says so; of the others the ratio decides."""
    with collecting() as collector:
        with running(tmp_path, otlp_endpoint=collector.address, trace_ratio=1e-9) as client:
            client.get("/healthz", headers={"traceparent": f"00-{TRACE_ID}-{PARENT_ID}-00"})
            client.get("/healthz")
            client.get("/healthz", headers={"traceparent": f"00-{TRACE_ID}-{PARENT_ID}-01"})
        found = collector.spans()

    assert [span.name for span in found] == ["GET /healthz"]


@pytest.mark.slow
def test_a_collector_that_is_gone_harms_no_request(tmp_path: Path) -> None:
    """Answers come, and the service ends."""
    with collecting() as collector:
        address = collector.address
    with running(tmp_path, otlp_endpoint=address) as client:
        wait_until_ready(client)


def test_without_the_extra_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking for traces where nothing can make them stops the start."""
    monkeypatch.setattr(tracing, "_is_installed", lambda: False)
    with pytest.raises(ConfigError, match=r"pip install 'sightline\[otel\]'"):
        check_tracing(Settings(otlp_endpoint="http://127.0.0.1:4318"))


@pytest.mark.parametrize(
    "values",
    [
        {"otlp_endpoint": "127.0.0.1:4318"},
        {"otlp_endpoint": "http://user:secret@collector:4318"},
        {"trace_ratio": 1.5},
    ],
)
def test_settings_that_cannot_work_are_refused(values: dict[str, object]) -> None:
    """No scheme, a password (which would be printed), more than all."""
    with pytest.raises(ConfigError, match=next(iter(values))):
        from_mapping(Settings, values, where="test")


def test_nothing_is_traced_by_default() -> None:
    """There is no tracer, and with one a request is not told of."""
    assert open_tracer(Settings()) is None


@pytest.mark.slow
def test_neither_sdk_nor_exporter_is_imported_by_default() -> None:
    """Also where the extra is installed; FastAPI imports the bare API by itself."""
    code = (
        "import sys, json; from service.app import create_app; "
        "from service.settings import Settings; create_app(Settings()); "
        "heavy = ('opentelemetry.sdk', 'opentelemetry.exporter', 'service.otlp_traces'); "
        "print(json.dumps([name for name in sys.modules if name.startswith(heavy)]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert json.loads(done.stdout) == []
