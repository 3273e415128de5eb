"""From errors to statuses: the table of docs/api.md."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from core import errors
from core.errors import SightlineError
from service.errors import error_object, out_of_range, status_of, validation_error
from service.schemas import ClassifyRequest, SearchRequest


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (errors.UsageError("x"), 400, "invalid_request"),
        (errors.QueryError("x"), 400, "invalid_request"),
        (errors.LabelSetError("x"), 400, "invalid_request"),
        (errors.UsageError("x", code="read_only"), 403, "invalid_request"),
        (errors.NotFoundError("x"), 404, "not_found"),
        (errors.ConflictError("x"), 409, "conflict"),
        (errors.EncoderMismatchError("x"), 409, "conflict"),
        (errors.ImageTooLargeError("x"), 413, "invalid_image"),
        (errors.UsageError("x", code="body_too_large"), 413, "invalid_request"),
        (errors.UnsupportedImageError("x"), 415, "invalid_image"),
        (errors.UndecodableImageError("x"), 422, "invalid_image"),
        (errors.ImageError("x"), 422, "invalid_image"),
        (out_of_range("x", param="k"), 422, "invalid_request"),
        (errors.BusyError("x"), 429, "busy"),
        (errors.NotReadyError("x"), 503, "not_ready"),
        (errors.EncoderError("x"), 503, "encoder"),
        (errors.StorageError("x"), 503, "storage"),
        (errors.DeadlineError("x"), 504, "deadline"),
        (errors.StorageFullError("x"), 507, "storage"),
        (errors.IntegrityError("x"), 503, "storage"),
        (errors.TrainingError("x"), 500, "internal"),
    ],
)
def test_each_error_has_its_status(error: SightlineError, status: int, kind: str) -> None:
    """The status follows from the class, or from a code that narrows it."""
    assert status_of(error) == status
    assert error_object(error)["type"] == kind


def test_an_error_says_where_it_was() -> None:
    """The place that the caller knows wins over the error's own."""
    error = errors.UsageError("wrong", code="special", param="own")

    assert error_object(error) == {
        "type": "invalid_request",
        "message": "wrong",
        "param": "own",
        "code": "special",
    }
    assert error_object(error, param="image[1]")["param"] == "image[1]"


def problems_of(model: type[SearchRequest | ClassifyRequest], body: object) -> SightlineError:
    """Return the error of a body that does not fit."""
    with pytest.raises(ValidationError) as caught:
        model.model_validate(body)
    return validation_error(caught.value.errors())


def test_a_number_out_of_range_is_not_malformed() -> None:
    """Asking for zero hits is understood and refused: 422."""
    error = problems_of(SearchRequest, {"query": "x", "k": 0})

    assert status_of(error) == 422
    assert error.param == "k"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"query": "x", "k": "ten"}, "k"),
        ({"query": "x", "K": 1}, "K"),
        ({"query": 5}, "query"),
        ([], None),
        ({"query": "x", "mode": "guess"}, "mode"),
    ],
)
def test_what_does_not_fit_the_schema_is_malformed(body: object, param: str | None) -> None:
    """Wrong types and unknown fields give 400 and name the field."""
    error = problems_of(SearchRequest, body)

    assert status_of(error) == 400
    assert error.param == param


def test_the_message_never_repeats_the_input() -> None:
    """An image that does not fit must not come back as a megabyte of base64."""
    error = problems_of(ClassifyRequest, {"image": {"secret": "x" * 10_000}})

    assert "secret" not in str(error).replace("image", "")
    assert len(str(error)) < 500
