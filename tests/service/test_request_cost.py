"""What a request will cost, guessed from its head."""

from __future__ import annotations

import pytest

from service.request_cost import announced_length, cost_of, estimated_cost, is_bulk


def head(method: str, path: str, **headers: str) -> dict[str, object]:
    """Return the ASGI scope of a request."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    raw = [(name.encode(), text.encode()) for name, text in named.items()]
    return {"type": "http", "method": method, "path": path, "headers": raw}


JSON = "application/json"
FORM = "multipart/form-data; boundary=x"


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        (head("GET", "/v1/search"), 0.2),
        (head("GET", "/v1/items/a/thumbnail"), 0.05),
        (head("DELETE", "/v1/items/a"), 0.05),
        (head("POST", "/v1/items/delete", content_type=JSON, content_length="999"), 0.05),
        (head("POST", "/v1/search", content_type=JSON, content_length="60"), 0.2),
        (head("POST", "/v1/search", content_type=FORM, content_length="60"), 1.0),
        (head("POST", "/v1/classify", content_type=JSON, content_length="50000"), 1.0),
        (head("POST", "/v1/items", content_type=FORM, content_length="3000000"), 30.0),
        (head("POST", "/v1/items", content_type=FORM, transfer_encoding="chunked"), 1.0),
    ],
)
def test_the_head_of_a_request_says_about_what_it_costs(
    scope: dict[str, object], expected: float
) -> None:
    """Reads cost little, texts a fifth of an image, large bodies hold many images."""
    assert estimated_cost(scope) == expected


def test_adding_items_is_bulk_work() -> None:
    """Reading, deleting and searching are not."""
    paths = ["/v1/items", "/v1/items/delete", "/v1/search"]

    assert [is_bulk(head("POST", path)) for path in paths] == [True, False, False]
    assert not is_bulk(head("GET", "/v1/items"))


def test_the_real_cost_is_images_and_a_fifth_of_the_texts() -> None:
    """Three images and ten texts are five units."""
    assert cost_of(images=3, texts=10) == 5.0


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, 0),
        ({"content-length": "12"}, 12),
        ({"transfer-encoding": "chunked"}, None),
        ({"transfer-encoding": "chunked", "content-length": "12"}, None),
        ({"content-length": "-1"}, None),
    ],
)
def test_the_announced_length(headers: dict[str, str], expected: int | None) -> None:
    """A chunked body has no length, whatever else it claims; no header means no body."""
    raw = [(name.encode(), text.encode()) for name, text in headers.items()]

    assert announced_length({"headers": raw}) == expected
