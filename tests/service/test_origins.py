"""What pages of other sites make browsers send, with and without keys."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.service.closed_gallery import bearer
from tests.service.running import error_of, running


@pytest.fixture(scope="module")
def listing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Serve an open gallery that lists one page and one host name."""
    folder = tmp_path_factory.mktemp("listing")
    lists = {"cors_origins": ["https://shop.example"], "allowed_hosts": ["Listed.example"]}
    with running(folder, **lists) as client:
        yield client


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "http://a.example"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://evil.example"}, 403),
        ({"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:1"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "https://shop.example"}, 200),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "{own}"}, 200),
    ],
)
def test_only_listed_pages_may_change_something(
    listing: httpx.Client, headers: dict[str, str], status: int
) -> None:
    """A form of another site can be sent without asking; its origin gives it away."""
    own = str(listing.base_url).rstrip("/")
    sent = {name: value.format(own=own) for name, value in headers.items()}
    answer = listing.post("/v1/items/delete", json={"ids": ["nobody"]}, headers=sent)

    assert answer.status_code == status, answer.text
    assert listing.get("/v1/gallery", headers=sent).status_code == 200
    if status == 403:
        assert error_of(answer, 403)["code"] == "cross_site"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        *(("localhost:8000", 200), ("127.0.0.1", 200), ("[::1]:80", 200), ("a.localhost", 200)),
        *(("listed.example:80", 200), ("LISTED.example", 200)),
        *(("evil.example", 403), ("evil.example:8000", 403), ("127.0.0.1.evil.example", 403)),
        *(("localhost.evil.example", 403), ("", 403)),
    ],
)
def test_a_name_bent_to_this_machine_is_refused(
    listing: httpx.Client, host: str, status: int
) -> None:
    """DNS rebinding: the browser believes to talk to another host."""
    answer = listing.get("/v1/gallery", headers={"Host": host})

    assert answer.status_code == status
    if status == 403:
        assert error_of(answer, 403)["code"] == "host"


def test_a_key_needs_no_name(closed: httpx.Client) -> None:
    """Who has a key may come through any proxy and from any page."""
    headers = {**bearer("read"), "Host": "a.example", "Origin": "http://b.example"}

    assert closed.post("/v1/search", json={"query": "x"}, headers=headers).status_code == 200
