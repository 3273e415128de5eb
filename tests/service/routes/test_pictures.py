"""Rules of pictures over HTTP: sizes, and what a browser may keep without asking again."""

from __future__ import annotations

import io

import httpx
import pytest
from PIL import Image

from tests.fakes import picture_bytes
from tests.service.running import error_of


def add_wide(client: httpx.Client) -> str:
    """Add a wide picture with the id ``wide`` and return its digest."""
    picture = picture_bytes("green", size=(900, 300))
    client.post("/v1/items", files={"image": picture}, data={"items": '[{"id": "wide"}]'})
    return str(client.get("/v1/items/wide").json()["digest"])


def test_a_thumbnail_comes_in_three_sizes(empty: httpx.Client) -> None:
    """The longer side is what was asked for, each size has an ETag of its own."""
    add_wide(empty)
    etags = set()
    for side in (160, 320, 640):
        answer = empty.get("/v1/items/wide/thumbnail", params={"size": side})
        assert Image.open(io.BytesIO(answer.content)).size == (side, round(side / 3))
        etags.add(answer.headers["etag"])

    assert len(etags) == 3
    item = empty.get("/v1/items/wide").json()
    assert (item["thumbnail_width"], item["thumbnail_height"]) == (320, 107)


@pytest.mark.parametrize("size", ["161", "-1", "9999999", "x", ""])
def test_other_sizes_are_refused(empty: httpx.Client, size: str) -> None:
    """Nobody can fill the disk with sizes."""
    add_wide(empty)

    error_of(empty.get("/v1/items/wide/thumbnail", params={"size": size}), 400)


@pytest.mark.parametrize("kind", ["image", "thumbnail"])
def test_only_an_address_with_the_digest_is_kept_without_asking(
    empty: httpx.Client, kind: str
) -> None:
    """The digest says which picture is meant; any other address may come to mean another."""
    digest = add_wide(empty)
    address = f"/v1/items/wide/{kind}"
    kept = empty.get(address, params={"v": digest})

    assert kept.headers["cache-control"] == "private, max-age=31536000, immutable"
    for other in ({}, {"v": ""}, {"v": digest[:12]}, {"v": digest[::-1]}):
        assert empty.get(address, params=other).headers["cache-control"] == "private, no-cache"


def test_the_values_of_a_field_are_counted(colours: httpx.Client) -> None:
    """The most frequent first; ``more`` says that the answer was cut."""
    answer = colours.get("/v1/fields/n/values", params={"limit": 2}).json()

    assert answer == {
        "name": "n",
        "values": [{"value": 0, "items": 1}, {"value": 1, "items": 1}],
        "more": True,
    }
    assert colours.get("/v1/fields/nothing/values").json()["values"] == []
    error_of(colours.get("/v1/fields/%22/values"), 400)
