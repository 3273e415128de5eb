"""Requests made up from the OpenAPI document, sent to a real server, their answers checked.

    python -m tests.service.made_up_requests FOLDER [EXAMPLES]

prints a report as JSON. A process of its own, because what Hypothesis makes up depends on the
modules that are loaded: here they are always the same, so the requests are too.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.service.running import COLOURS, add_colours, running

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
EXAMPLES = 12
"""Requests of each kind; ten times as many were tried when the test was written."""


@dataclass(slots=True)
class Report:
    """What a run did."""

    operations: list[str] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)


def kinds_of_requests(document: dict[str, Any]) -> Iterator[tuple[str, str, GenerationMode]]:
    """Yield each operation with the kinds of requests that can be made up for it.

    A path takes any text, so only a query or a body can fail to fit the document.
    """
    for path, methods in document["paths"].items():
        for method, described in methods.items():
            yield method.upper(), path, GenerationMode.POSITIVE
            places = [parameter["in"] for parameter in described.get("parameters", [])]
            if "requestBody" in described or "query" in places:
                yield method.upper(), path, GenerationMode.NEGATIVE


def main(folder: Path, examples: int = EXAMPLES) -> Report:
    """Send the requests to a server of six pictures, which they may change."""
    report = Report()
    with running(folder, immich_models=("ours",)) as client, requests.Session() as session:
        session.trust_env = False
        add_colours(client)
        tones = {"name": "tones", "labels": ["red", "blue"], "template_set": "name"}
        client.post("/v1/label-sets", json=tones).raise_for_status()
        document = client.get("/openapi.json").json()
        schema = schemathesis.openapi.from_dict(document)

        def send(case: schemathesis.Case) -> None:
            answer = case.call(base_url=str(client.base_url), session=session, timeout=120)
            status = answer.status_code
            report.statuses[status] = report.statuses.get(status, 0) + 1
            case.validate_response(answer, checks=CHECKS)

        for method, path, mode in kinds_of_requests(document):
            name = f"{method} {path} {mode.value}"
            report.operations.append(name)
            try:
                try_many(schema[path][method].as_strategy(generation_mode=mode), send, examples)
            except Exception as error:  # noqa: BLE001 - every kind of failure is reported
                report.failures[name] = f"{type(error).__name__}: {error}"[:2000]
    return report


def try_many(
    cases: st.SearchStrategy[schemathesis.Case],
    send: Callable[[schemathesis.Case], None],
    examples: int,
) -> None:
    """Send many cases; ids are made up, or those of something that exists."""

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases, known=st.sampled_from([None, *COLOURS]))
    def check(case: schemathesis.Case, known: str | None) -> None:
        for name in case.path_parameters if known else ():
            case.path_parameters[name] = {"item_id": known, "model": "fake"}.get(name, "tones")
        send(case)

    check()


if __name__ == "__main__":
    found = main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
    print(json.dumps(asdict(found)))  # noqa: T201 - the parent reads it
