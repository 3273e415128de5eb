"""``/v1/items``: adding, listing, changing, deleting, and the pictures."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from core.artifacts import sha256_bytes
from tests.fakes import picture_bytes
from tests.service.running import COLOURS, add_colours, error_of, running


def encoded(colour: str) -> str:
    """Return a picture as base64."""
    return base64.b64encode(picture_bytes(colour)).decode()


def statuses(answer: httpx.Response) -> list[str]:
    """Return the status of each result."""
    assert answer.status_code == 200, answer.text
    return [entry["status"] for entry in answer.json()["results"]]


def add_json(client: httpx.Client, *items: dict[str, Any], **headers: str) -> httpx.Response:
    """Add items by a JSON body."""
    return client.post("/v1/items", json={"items": list(items)}, headers=headers)


def test_what_is_acknowledged_is_found(empty: httpx.Client) -> None:
    """The very next search sees the item."""
    answer = add_json(empty, {"image": encoded("red"), "id": "a", "caption": "c"})

    assert answer.json() == {"results": [{"id": "a", "status": "created", "error": None}]}
    hits = empty.get("/v1/search", params={"q": "red"}).json()["hits"]
    assert [hit["id"] for hit in hits] == ["a"]


def test_adding_again_says_what_changed(empty: httpx.Client) -> None:
    """Created, unchanged, updated."""
    item = {"image": encoded("red"), "id": "a", "caption": "one"}

    assert statuses(add_json(empty, item)) == ["created"]
    assert statuses(add_json(empty, item)) == ["unchanged"]
    assert statuses(add_json(empty, {**item, "caption": "two"})) == ["updated"]


def test_without_an_id_the_image_names_itself(empty: httpx.Client) -> None:
    """The same bytes twice are one item."""
    first = empty.post("/v1/items", files={"image": picture_bytes("red")})
    second = empty.post("/v1/items", files={"image": picture_bytes("red")})

    assert (statuses(first), statuses(second)) == (["created"], ["unchanged"])
    assert first.json()["results"][0]["id"] == second.json()["results"][0]["id"]
    assert empty.get("/v1/gallery").json()["count"] == 1


def test_a_bad_image_among_several_harms_none(empty: httpx.Client) -> None:
    """The good ones are stored, the bad one says what is wrong with it."""
    files = [("image", picture_bytes("red")), ("image", b"junk"), ("image", picture_bytes("blue"))]
    answer = empty.post(
        "/v1/items", files=files, data={"items": '[{"id": "a"}, {"id": "b"}, {"id": "c"}]'}
    )

    assert statuses(answer) == ["created", "error", "created"]
    bad = answer.json()["results"][1]
    assert bad["id"] == "b"
    assert bad["error"]["type"] == "invalid_image"
    assert bad["error"]["param"] == "image[1]"
    assert empty.get("/v1/gallery").json()["count"] == 2


def test_bad_base64_among_several_is_an_entry(empty: httpx.Client) -> None:
    """A broken text, a missing image and a bad id are errors of their items."""
    answer = add_json(
        empty,
        {"image": "%%%", "id": "a"},
        {"id": "b"},
        {"image": encoded("red"), "id": "bad\u202eid"},
        {"image": encoded("red"), "id": "d"},
    )

    assert statuses(answer) == ["error", "error", "error", "created"]


@pytest.mark.parametrize(("data", "status"), [(b"", 422), (b"GIF", 415), (b"\xff\xd8\xff", 422)])
def test_a_single_bad_image_gets_its_status(empty: httpx.Client, data: bytes, status: int) -> None:
    """Alone in its request, the bad image is the answer, and nothing is stored."""
    error_of(empty.post("/v1/items", files={"image": data}), status)

    assert empty.get("/v1/gallery").json()["count"] == 0


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"items": []}, 422),
        ({}, 400),
        ({"items": [{"image": "", "id": ""}]}, 422),
        ({"items": [{"image_url": "http://localhost/a.png"}]}, 400),
        ({"items": [{"image": "AAAA", "metadata": [1]}]}, 400),
        ({"items": [{"image": "AAAA", "surprise": 1}]}, 400),
        ({"items": [{"image": "AAAA"}] * 65}, 422),
    ],
)
def test_what_cannot_be_added_is_refused(
    empty: httpx.Client, body: dict[str, Any], status: int
) -> None:
    """A malformed request stores nothing."""
    error_of(empty.post("/v1/items", json=body), status)


def test_entries_and_files_must_agree(empty: httpx.Client) -> None:
    """Two entries for one file would be a guess."""
    answer = empty.post(
        "/v1/items",
        files={"image": picture_bytes("red")},
        data={"items": '[{"id": "a"}, {"id": "b"}]'},
    )
    assert error_of(answer, 400)["param"] == "items"

    error_of(empty.post("/v1/items", files={"items": (None, "[]")}), 400)


def test_a_repeated_request_gets_the_first_answer(empty: httpx.Client) -> None:
    """Idempotency-Key: the same key and body answer "created" again; another body is 409."""
    key = {"Idempotency-Key": "order-1"}
    item = {"image": encoded("red"), "id": "a"}

    first = empty.post("/v1/items", json={"items": [item]}, headers=key)
    again = empty.post("/v1/items", json={"items": [item]}, headers=key)
    other = empty.post("/v1/items", json={"items": [{**item, "id": "b"}]}, headers=key)

    assert statuses(first) == statuses(again) == ["created"]
    assert error_of(other, 409)["code"] == "idempotency_key_reused"
    assert empty.get("/v1/gallery").json()["count"] == 1


def test_a_listing_goes_page_by_page(colours: httpx.Client) -> None:
    """Items come in the order of their ids; the cursor goes on."""
    first = colours.get("/v1/items", params={"limit": 4}).json()
    rest = colours.get("/v1/items", params={"limit": 4, "cursor": first["cursor"]}).json()

    assert [item["id"] for item in first["items"] + rest["items"]] == sorted(COLOURS)
    assert rest["cursor"] is None
    some = colours.get("/v1/items", params={"filter": json.dumps({"n": {"lt": 2}})}).json()
    assert [item["id"] for item in some["items"]] == ["green", "red"]


def test_a_listing_shows_the_vectors_on_request(colours: httpx.Client) -> None:
    """To the last bit those that were stored; without asking there are none."""
    params = {"filter": '{"n": 0}', "vectors": "base64"}
    (item,) = colours.get("/v1/items", params=params).json()["items"]
    (plain,) = colours.get("/v1/items", params={"filter": '{"n": 0}'}).json()["items"]
    vector = np.frombuffer(base64.b64decode(item.pop("vector")), "<f4").tolist()
    hit = colours.post("/v1/search", json={"query": [{"vector": vector}], "k": 1}).json()["hits"][0]

    assert plain == item
    assert (hit["id"], hit["score"]) == ("red", pytest.approx(1.0, abs=1e-6))


@pytest.mark.parametrize(
    ("params", "status"),
    [
        ({"vectors": "float"}, 400),
        ({"limit": 0}, 422),
        ({"limit": 10**6}, 422),
        ({"limit": "x"}, 400),
        ({"cursor": "made up"}, 400),
        ({"filter": "{"}, 400),
        ({"filter": "[]"}, 400),
        ({"filter": "{}"}, 400),
        ({"filter": '{"a": {"like": 1}}'}, 400),
    ],
)
def test_a_listing_that_makes_no_sense_is_refused(
    colours: httpx.Client, params: dict[str, str], status: int
) -> None:
    """Page size, cursor and filter are checked."""
    error_of(colours.get("/v1/items", params=params), status)


def test_an_item_can_be_read_changed_and_deleted(empty: httpx.Client) -> None:
    """The life of an item: absent fields of a change stay as they are."""
    add_colours(empty)
    before = empty.get("/v1/items/red").json()
    changed = empty.patch("/v1/items/red", json={"caption": "scarlet"}).json()

    assert before["digest"] == sha256_bytes(picture_bytes("red"))
    assert changed == {**before, "caption": "scarlet"}
    assert empty.get("/v1/items/red").json() == changed
    metadata = empty.patch("/v1/items/red", json={"metadata": {"year": 2024}}).json()
    assert (metadata["caption"], metadata["metadata"]) == ("scarlet", {"year": 2024})
    assert empty.delete("/v1/items/red").json() == {"deleted": 1}
    error_of(empty.get("/v1/items/red"), 404)
    assert "red" not in [hit["id"] for hit in empty.get("/v1/search?q=red").json()["hits"]]


def test_many_items_are_deleted_at_once(empty: httpx.Client) -> None:
    """By ids, where unknown ones count for nothing, or by a filter."""
    add_colours(empty)

    by_ids = empty.post("/v1/items/delete", json={"ids": ["red", "nobody"]})
    by_filter = empty.post("/v1/items/delete", json={"filter": {"n": {"gte": 4}}})

    assert by_ids.json() == {"deleted": 1}
    assert by_filter.json() == {"deleted": 2}
    left = [item["id"] for item in empty.get("/v1/items").json()["items"]]
    assert left == ["blue", "green", "yellow"]


@pytest.mark.parametrize("body", [{}, {"filter": {}}, {"ids": ["a"], "filter": {"n": 1}}])
def test_a_delete_must_say_what(empty: httpx.Client, body: dict[str, Any]) -> None:
    """An empty filter would delete everything: it is refused."""
    add_colours(empty)

    error_of(empty.post("/v1/items/delete", json=body), 400)
    assert empty.get("/v1/gallery").json()["count"] == 6


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
@pytest.mark.parametrize("id", ["nobody", "..%2F..%2Fetc%2Fpasswd", "%2e%2e%2f", "a%00b", "%20"])
def test_an_unknown_id_is_not_found(colours: httpx.Client, method: str, id: str) -> None:
    """Whatever it looks like: an id is data, never a path."""
    json = {"caption": "x"} if method == "PATCH" else None
    answer = colours.request(method, f"/v1/items/{id}", json=json)

    assert answer.status_code in {400, 404}
    assert answer.json()["error"]["message"]


@pytest.mark.parametrize("id", ["a/b.jpg", "a b", "\u00e9", "x%2Fy", "?#&", "delete", "\U0001f600"])
def test_any_id_makes_the_round_trip(empty: httpx.Client, id: str) -> None:
    """Slashes, spaces, accents and signs: the links of an answer lead to the item."""
    assert statuses(add_json(empty, {"image": encoded("red"), "id": id})) == ["created"]
    hit = empty.get("/v1/search?q=red").json()["hits"][0]

    assert hit["id"] == id
    assert empty.get(hit["image_url"]).content == picture_bytes("red")
    assert empty.get(hit["thumbnail_url"]).status_code == 200
    assert empty.get(hit["image_url"].removesuffix("/image")).json()["id"] == id
    assert empty.delete(hit["image_url"].removesuffix("/image")).json() == {"deleted": 1}


def test_an_image_is_served_as_what_it_is(empty: httpx.Client) -> None:
    """The sniffed type, a policy that lets nothing run, and an ETag that saves bytes."""
    html = picture_bytes("red", format="GIF") + b"<script>alert(1)</script>"
    empty.post(
        "/v1/items",
        files={"image": ("x.html", html, "text/html")},
        data={"items": '[{"id": "a"}]'},
    )
    answer = empty.get("/v1/items/a/image")

    assert answer.content == html
    assert answer.headers["content-type"] == "image/gif"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert answer.headers["content-disposition"] == "inline"
    assert "no-cache" in answer.headers["cache-control"]
    again = empty.get("/v1/items/a/image", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_a_thumbnail_is_small_and_newly_encoded(empty: httpx.Client) -> None:
    """A large picture with a script behind it becomes a small clean one."""
    large = picture_bytes("green", size=(900, 600), format="JPEG") + b"<script>"
    empty.post("/v1/items", files={"image": large}, data={"items": '[{"id": "a"}]'})
    answer = empty.get("/v1/items/a/thumbnail")
    with Image.open(io.BytesIO(answer.content)) as picture:
        size = picture.size

    assert answer.headers["content-type"].startswith("image/")
    assert max(size) < 600
    assert b"<script>" not in answer.content
    assert answer.headers["etag"] != empty.get("/v1/items/a/image").headers["etag"]
    again = empty.get("/v1/items/a/thumbnail", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304


def test_a_read_only_service_changes_nothing(tmp_path: Path) -> None:
    """Every write is 403; reading goes on, beside the process that writes."""
    with running(tmp_path) as writer, running(tmp_path, read_only=True) as client:
        add_colours(writer)
        refused = [
            client.post("/v1/items", files={"image": picture_bytes("red")}),
            client.patch("/v1/items/a", json={"caption": "x"}),
            client.delete("/v1/items/a"),
            client.post("/v1/items/delete", json={"ids": ["a"]}),
            client.post("/v1/label-sets", json={"name": "a", "labels": ["b"]}),
        ]

        assert [error_of(answer, 403)["code"] for answer in refused] == ["read_only"] * 5
        assert client.get("/v1/gallery").json()["count"] == 6
        assert client.get("/v1/search?q=blue&k=1").json()["hits"][0]["id"] == "blue"
        assert client.get("/v1/items/blue/thumbnail").status_code == 200
