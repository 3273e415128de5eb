"""Rules of turning answers back into errors."""

from __future__ import annotations

import httpx
import pytest

from core.errors import (
    BusyError,
    ConflictError,
    EncoderMismatchError,
    ImageTooLargeError,
    NotFoundError,
    NotReadyError,
    QueryError,
    ServerError,
    SightlineError,
    StorageError,
    StorageFullError,
    UndecodableImageError,
    UnsupportedImageError,
    UsageError,
)
from service.errors import STATUSES, error_object, status_of
from sightline.failures import broken, error_from, refused
from sightline.retries import Outcome

REQUEST = httpx.Request("POST", "http://a/v1/search?q=secret", headers={"X-Request-ID": "mine"})


def response(status: int, **fields: object) -> httpx.Response:
    """Return an answer of the one shape."""
    body = {"type": "t", "message": "m", "param": None, "code": "c", **fields}
    return httpx.Response(status, json={"error": body}, request=REQUEST)


@pytest.mark.parametrize(
    "error",
    [
        QueryError("no"),
        NotFoundError("no"),
        ConflictError("no"),
        EncoderMismatchError("no"),
        ImageTooLargeError("no"),
        UnsupportedImageError("no", code="image_animated"),
        UndecodableImageError("no", code="image_truncated"),
        BusyError("no", code="rate_limited"),
        NotReadyError("no"),
        StorageError("no"),
        StorageFullError("no"),
        UsageError("no", code="out_of_range", param="k"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_comes_back_as_the_class_that_the_service_raised(error: SightlineError) -> None:
    """What the service makes of an error and the client of the answer is the error again."""
    answer = httpx.Response(status_of(error), json={"error": error_object(error)}, request=REQUEST)

    found = refused(answer).error

    assert type(found) is type(error)
    assert (str(found), found.code, found.param) == (str(error), error.code, error.param)
    assert found.status == status_of(error)


def test_every_class_that_the_service_answers_with_comes_back_in_its_tree() -> None:
    """No row of the service's table becomes an error that catching that class would miss."""
    for kind, status, name in STATUSES:
        body = {"error": {"type": name, "message": "m", "param": None, "code": kind.code}}
        found = refused(httpx.Response(status, json=body, request=REQUEST)).error

        assert isinstance(found, kind), kind


def test_the_request_id_of_the_answer_is_kept() -> None:
    """It leads to the request in the server's log; without one it is the one that was sent."""
    answer = response(404)
    sent = refused(answer).error.request_id
    answer.headers["X-Request-ID"] = "theirs"

    assert sent == "mine"
    assert refused(answer).error.request_id == "theirs"


@pytest.mark.parametrize(
    ("status", "code", "outcome"),
    [
        (400, "invalid_request", Outcome.FINAL),
        (429, "busy", Outcome.UNPROCESSED),
        (503, "not_ready", Outcome.UNKNOWN),
        (502, "http", Outcome.UNKNOWN),
        (502, "fetch", Outcome.FINAL),
        (504, "deadline", Outcome.FINAL),
        (409, "conflict", Outcome.FINAL),
        (409, "idempotency_key_in_use", Outcome.UNKNOWN),
        (507, "storage_full", Outcome.FINAL),
    ],
)
def test_what_a_status_says_of_the_request(status: int, code: str, outcome: Outcome) -> None:
    """429 comes before any work; an earlier attempt that still runs is waited for."""
    assert refused(response(status, code=code)).outcome is outcome


def test_an_answer_of_something_else_is_named() -> None:
    """A gateway's page is quoted in short, without the query of the address."""
    page = httpx.Response(502, text="<html>\n" + "bad gateway " * 100, request=REQUEST)

    found = refused(page).error

    assert isinstance(found, ServerError)
    assert "http://a/v1/search answered 502" in str(found)
    assert "secret" not in str(found)
    assert len(str(found)) < 400


def test_a_redirect_names_the_address_to_use() -> None:
    """Following it would send the key to another place."""
    answer = httpx.Response(308, headers={"Location": "https://b/"}, request=REQUEST)

    assert "it leads to https://b/: use that address" in str(refused(answer).error)


@pytest.mark.parametrize(
    ("error", "outcome", "code"),
    [
        (httpx.ConnectError("refused", request=REQUEST), Outcome.UNPROCESSED, "unreachable"),
        (httpx.ConnectTimeout("slow", request=REQUEST), Outcome.UNPROCESSED, "unreachable"),
        (httpx.ReadError("reset", request=REQUEST), Outcome.UNKNOWN, "unreachable"),
        (httpx.RemoteProtocolError("closed", request=REQUEST), Outcome.UNKNOWN, "unreachable"),
        (httpx.ReadTimeout("slow", request=REQUEST), Outcome.FINAL, "timeout"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_a_broken_connection_says_of_the_request(
    error: httpx.RequestError, outcome: Outcome, code: str
) -> None:
    """Only where no connection came about it is certain that nothing was done."""
    found = broken(error)

    assert (found.outcome, found.error.code) == (outcome, code)
    assert isinstance(found.error, ServerError)
    assert found.error.request_id == "mine"
    assert "secret" not in str(found.error)


def test_an_entry_that_is_no_error_object_is_refused() -> None:
    """The reader of the answer turns it into an error of the server."""
    with pytest.raises(TypeError, match="no error object"):
        error_from("broken")
