"""``/v1/search``: what is found, in which order, and what is refused."""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx
import numpy as np
import pytest

from core.artifacts import sha256_bytes
from core.types import FloatArray
from tests.fakes import FakeEncoder, picture_bytes
from tests.service.running import COLOURS, error_of


def ids(answer: httpx.Response) -> list[str]:
    """Return the ids of the hits in order."""
    assert answer.status_code == 200, answer.text
    return [hit["id"] for hit in answer.json()["hits"]]


def post(client: httpx.Client, **body: Any) -> httpx.Response:
    """Search by a JSON body."""
    return client.post("/v1/search", json=body)


def test_words_in_the_address_find_the_picture(colours: httpx.Client) -> None:
    """GET /v1/search?q=... answers with everything the contract promises."""
    answer = colours.get("/v1/search", params={"q": "a red car", "k": 2}).json()

    assert set(answer) == {"model", "plan", "took_ms", "cursor", "hits"}
    assert answer["model"] == FakeEncoder().encoder_id
    assert answer["plan"] == "exact"
    assert answer["took_ms"] > 0
    assert answer["hits"][0] == {
        "id": "red",
        "score": pytest.approx(1.0, abs=0.01),
        "confidence": None,
        "caption": "a red square",
        "metadata": {"n": 0},
        "digest": sha256_bytes(picture_bytes("red")),
        "image_url": "/v1/items/red/image",
        "thumbnail_url": "/v1/items/red/thumbnail",
        "thumbnail_width": 32,
        "thumbnail_height": 24,
        "terms": None,
        "ranks": None,
    }


def test_the_three_ways_to_ask_agree(colours: httpx.Client) -> None:
    """GET, POST and a form with the same words give the same hits."""
    by_address = colours.get("/v1/search", params={"q": "a blue car", "k": 3})
    by_body = post(colours, query="a blue car", k=3)
    by_form = colours.post("/v1/search", files={"query": (None, "a blue car"), "k": (None, "3")})

    assert by_address.json()["hits"] == by_body.json()["hits"] == by_form.json()["hits"]
    assert ids(by_body)[0] == "blue"


@pytest.mark.parametrize("colour", COLOURS)
def test_an_image_finds_its_like(colours: httpx.Client, colour: str) -> None:
    """As a file, as base64 and as a data URI."""
    data = picture_bytes(colour, size=(40, 40), format="BMP")
    encoded = base64.b64encode(data).decode()

    assert ids(colours.post("/v1/search", files={"image": data}))[0] == colour
    assert ids(post(colours, image=encoded))[0] == colour
    assert ids(post(colours, query=[{"image": f"data:image/bmp;base64,{encoded}"}]))[0] == colour


def by_vector(client: httpx.Client, vector_D: FloatArray) -> list[str]:
    """Return the ids of all six items by a plain vector query."""
    return ids(post(client, query=[{"vector": vector_D.tolist()}], k=6))


def test_text_and_image_are_combined(colours: httpx.Client) -> None:
    """A text and an image together are the sum of their unit vectors."""
    red_D, green_D = FakeEncoder().encode_texts(["red", "green"])
    answer = colours.post(
        "/v1/search", files={"image": picture_bytes("green")}, data={"text": "red", "k": "6"}
    )

    assert ids(answer) == by_vector(colours, red_D + green_D)
    assert ids(answer) != by_vector(colours, red_D)


def test_terms_have_weights_and_an_item_can_be_one(colours: httpx.Client) -> None:
    """Yellow with half of its red taken away, in the list form and in the query language."""
    yellow_D, red_D = FakeEncoder().encode_texts(["yellow", "red"])
    by_list = post(colours, query=[{"image_id": "yellow"}, {"text": "red", "weight": -0.5}], k=6)
    by_words = post(colours, query="+id:yellow -0.5:red", k=6)

    assert ids(by_list) == ids(by_words) == by_vector(colours, yellow_D - 0.5 * red_D)
    assert ids(by_list) != by_vector(colours, yellow_D)


def test_a_vector_finds_what_its_text_finds(colours: httpx.Client) -> None:
    """An embedding sent back as a vector is the same query."""
    vector = FakeEncoder().encode_texts(["blue"])[0].tolist()

    assert (
        post(colours, query=[{"vector": vector}], k=6).json()["hits"]
        == post(colours, text="blue", k=6).json()["hits"]
    )


def test_hits_are_ordered_and_a_shorter_answer_is_a_prefix(colours: httpx.Client) -> None:
    """Score descending; the first three of six are the answer for three."""
    hits = post(colours, query="a red car", k=6).json()["hits"]
    scores = [hit["score"] for hit in hits]

    assert scores == sorted(scores, reverse=True)
    assert ids(post(colours, query="a red car", k=3)) == [hit["id"] for hit in hits[:3]]


def test_a_cursor_goes_on_without_gaps_or_repeats(colours: httpx.Client) -> None:
    """Three pages of two are the page of six."""
    found: list[str] = []
    cursor = None
    for _ in range(3):
        page = post(colours, query="a red car", k=2, cursor=cursor)
        found += ids(page)
        cursor = page.json()["cursor"]

    assert found == ids(post(colours, query="a red car", k=6))


def test_a_filter_narrows_and_never_loses(colours: httpx.Client) -> None:
    """Two items satisfy the filter, so two come back, whatever their score."""
    late = {"n": {"gte": 4}}

    assert set(ids(post(colours, query="a red car", filter=late))) == {"white", "black"}
    by_address = colours.get("/v1/search", params={"q": "a red car", "filter": json.dumps(late)})
    assert set(ids(by_address)) == {"white", "black"}


def test_explain_says_what_each_term_gave(colours: httpx.Client) -> None:
    """Each hit lists the terms of the query, an image by that name."""
    encoded = base64.b64encode(picture_bytes("green")).decode()
    query = [{"text": "red"}, {"image": encoded, "weight": 0.5}]

    hit = post(colours, query=query, explain=True, k=1).json()["hits"][0]

    assert [term["term"] for term in hit["terms"]] == ["red", "image"]
    assert [term["weight"] for term in hit["terms"]] == [1.0, 0.5]
    assert sum(term["contribution"] for term in hit["terms"]) == pytest.approx(
        hit["score"], abs=1e-4
    )


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ({"query": "x", "k": 0}, 422, "k"),
        ({"query": "x", "k": -1}, 422, "k"),
        ({"query": "x", "k": 10**9}, 422, "k"),
        ({"query": "x", "k": "many"}, 400, "k"),
        ({"query": ""}, 400, "query"),
        ({"query": "   "}, 400, "query"),
        ({}, 400, "query"),
        ({"query": []}, 400, "query"),
        ({"query": [{}]}, 400, "query[0]"),
        ({"query": [{"text": "a", "image_id": "b"}]}, 400, "query[0]"),
        ({"query": [{"text": "x" * 5000}]}, 422, "query[0].text"),
        ({"query": "x" * 5000}, 422, "query"),
        ({"query": [{"vector": [1.0] * 7}]}, 422, "query[0].vector"),
        ({"query": [{"vector": [0.0] * 8}]}, 422, "query[0].vector"),
        ({"query": [{"vector": [1e39] * 8}]}, 422, "query[0].vector"),
        ({"query": [{"vector": []}]}, 422, "query[0].vector"),
        ({"query": [{"text": "a"}] * 40}, 422, "query"),
        ({"query": [{"image": "!!!"}]}, 400, "query[0].image"),
        ({"query": [{"image_url": "http://localhost/a.jpg"}]}, 400, "query[0].image_url"),
        ({"image_url": "http://localhost/a.jpg"}, 400, "image_url"),
        ({"image": "http://localhost/a.jpg"}, 400, "image"),
        ({"query": "x", "filter": {"n": {"like": 1}}}, 400, "filter"),
        ({"query": "x", "cursor": "made up"}, 400, "cursor"),
        ({"query": "x", "mode": "guess"}, 400, "mode"),
        ({"query": "x", "colour": 1}, 400, "colour"),
        ({"query": "x", "min_confidence": 2}, 422, "min_confidence"),
    ],
)
def test_what_cannot_be_answered_is_refused(
    colours: httpx.Client, body: dict[str, Any], status: int, param: str
) -> None:
    """Each mistake gets its status and names its place."""
    assert error_of(post(colours, **body), status)["param"] == param


def test_an_unknown_item_is_not_found(colours: httpx.Client) -> None:
    """A term that names no item gives 404."""
    error_of(post(colours, query=[{"image_id": "nobody"}]), 404)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[1, 2",
        b"null",
        b'"red"',
        b'{"query": NaN}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"query": "\\ud800"}',
    ],
)
def test_what_is_no_json_object_is_malformed(colours: httpx.Client, content: bytes) -> None:
    """Broken, deep and surprising JSON gives 400, never 500."""
    headers = {"content-type": "application/json"}

    error_of(colours.post("/v1/search", content=content, headers=headers), 400)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_other_content_types_are_refused(colours: httpx.Client, kind: str) -> None:
    """The message names the two that are accepted."""
    answer = colours.post("/v1/search", content=b"{}", headers={"content-type": kind})

    assert "application/json" in error_of(answer, 415)["message"]


def test_a_broken_form_is_malformed(colours: httpx.Client) -> None:
    """A form without its boundary, or cut short, gives 400."""
    headers = {"content-type": "multipart/form-data"}
    error_of(colours.post("/v1/search", content=b"abc", headers=headers), 400)
    headers = {"content-type": "multipart/form-data; boundary=x"}
    error_of(colours.post("/v1/search", content=b"--x\r\nfoo", headers=headers), 400)


def test_scores_are_finite_numbers(colours: httpx.Client) -> None:
    """No NaN reaches a client."""
    hits = post(colours, query="black -white", k=6).json()["hits"]

    assert np.isfinite([hit["score"] for hit in hits]).all()
