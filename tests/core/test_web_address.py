"""Rules of core.web_address: only plain http and https."""

from __future__ import annotations

import pytest

from core.errors import UsageError
from core.web_address import is_url, parse_url


def test_an_address_is_taken_apart() -> None:
    """Host in ASCII and lower case, the usual port, path and query encoded once."""
    found = parse_url("https://B\u00fccher.example/a%20b/\u00fc?q=\u00e4&x=1#part")

    assert (found.host, found.port, found.is_encrypted) == ("xn--bcher-kva.example", 443, True)
    assert found.path == "/a%20b/%C3%BC?q=%C3%A4&x=1"
    assert found.host_header == "xn--bcher-kva.example"


def test_an_unusual_port_and_a_numeric_host_are_in_the_header() -> None:
    """As RFC 9110 section 7.2 has it; IPv6 in brackets."""
    assert parse_url("http://[::1]:8080").host_header == "[::1]:8080"
    assert parse_url("http://a.example:80/").host_header == "a.example"
    assert parse_url("http://a.example").path == "/"


@pytest.mark.parametrize(
    "url",
    [
        *("file:///etc/passwd", "ftp://a.example/", "gopher://a.example", "//a.example", "a.jpg"),
        *("http://", "http:///x", "http://ok.example@127.0.0.1/", "http://u:p@a.example/"),
        *("http://a.example/\r\nHost: b", "http://a.example\\@b.example/", "http://a b.example/"),
        *(
            "http://a.example:99999/",
            "http://[::1/",
            "http://a..example/",
            "http://a/" + "x" * 9000,
            "http://[fe80::1%25lo]/",
            "http://127%2e0.0.1/",
        ),
    ],
)
def test_other_addresses_are_refused(url: str) -> None:
    """Other schemes, user names, malformed hosts and control characters."""
    with pytest.raises(UsageError, match="is not fetched") as caught:
        parse_url(url)

    assert (caught.value.code, caught.value.param) == ("url_refused", "url")


def test_addresses_are_told_from_paths() -> None:
    """By their beginning alone, in any case."""
    assert is_url("HTTPS://a.example")
    assert not is_url("pictures/http.jpg")
