"""Inputs that are meant to do harm, over the real API: templates, ids, JSON, numbers, originals."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from service.keys import Scope, add_key, keys_path
from tests.fakes import picture_bytes
from tests.service.running import error_of, running

ROOT = Path(__file__).parent.parent.parent
JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[httpx.Client, Path]]:
    """Serve an empty gallery; each test leaves it empty. Yield the client and its folder."""
    folder = tmp_path_factory.mktemp("shared")
    with running(folder) as client:
        yield client, folder


def shown(value: object) -> str:
    """Return a short name of a test from a value that may be long and strange."""
    return ascii(value)[:16]


@pytest.mark.parametrize(
    "template",
    [
        "{0.__class__.__init__.__globals__}",
        "{label.__class__}",
        "{label!r}",
        "{:>9999999999}",
        "{0[0]}",
        "{} {:>9999999999}",
        "{}{}",
        "{{}}",
        "{{",
        "}",
        "no place for a label",
        "",
        "a {} \0",
        "{}" + "x" * 199,
        "%s %(label)s",
        "${label}",
    ],
)
def test_templates_are_never_formats(colours: httpx.Client, template: str) -> None:
    """Exactly one {} or 400: no attribute is read, no gigabyte is padded."""
    body = {"image_id": "red", "labels": ["a", "b"], "templates": [template]}
    answer = colours.post("/v1/classify", json=body)

    assert error_of(answer, 400)["type"] == "invalid_request"
    assert "__globals__':" not in answer.text
    error_of(colours.post("/v1/label-sets", json={"name": "x", **body}), 400)


@pytest.mark.parametrize(
    "label", ["{0.__class__}", "{}", "{label!r}", "%s", "{:>9999999999}", "__proto__", "<b>"]
)
def test_labels_are_plain_text(colours: httpx.Client, label: str) -> None:
    """What looks like a format in a label comes back as it was sent."""
    body = {"image_id": "red", "labels": [label, "blue"], "templates": ["a {}"]}
    answer = colours.post("/v1/classify", json=body)

    assert answer.status_code == 200, answer.text
    assert {entry["label"] for entry in answer.json()["results"][0]["labels"]} == {label, "blue"}


def test_a_classifier_has_a_price_limit(colours: httpx.Client) -> None:
    """More templates, labels or prompts than allowed are refused before a text is embedded."""
    many_templates = {"labels": ["a"], "templates": [f"{n} {{}}" for n in range(65)]}
    many_labels = {"labels": [f"label {n}" for n in range(20_000)], "template_set": "imagenet7"}
    for body in (many_templates, many_labels):
        answer = colours.post("/v1/classify", json={"image_id": "red", **body})
        assert answer.status_code in {400, 422}, answer.text


@pytest.mark.parametrize(
    "id",
    [
        *("../../etc/passwd", "%2e%2e%2f", "..\\", "__proto__", "-1", str(2**63), "a/b/c", "a b"),
        *(
            "\u00e9",
            "\U0001f469\u200d\U0001f467",
            "?q=1#x",
            "'; drop table items; --",
            "%",
            "\ufdd0",
        ),
    ],
)
def test_a_strange_id_comes_back_exactly(shared: tuple[httpx.Client, Path], id: str) -> None:
    """An id is data: it names no file, and every route finds it."""
    client, folder = shared
    before = sorted(path.name for path in folder.iterdir())
    items = json.dumps([{"id": id}])
    added = client.post(
        "/v1/items", files={"image": picture_bytes("red")}, data={"items": items}
    ).json()["results"][0]
    place = f"/v1/items/{quote(id, safe='')}"

    assert added["id"] == id
    assert client.get(place).json()["id"] == id
    assert client.get(f"{place}/thumbnail").status_code == 200
    assert (
        client.post("/v1/search", json={"query": [{"image_id": id}]}).json()["hits"][0]["id"] == id
    )
    assert client.delete(place).json() == {"deleted": 1}
    assert sorted(path.name for path in folder.iterdir()) == before


@pytest.mark.parametrize(
    "id",
    [
        *("a\0b", "a\nb", "a\r\nb", "a\x7f", "a\x85", "a\u202eb", "\u2066a", "e\u0301", ".", ".."),
        *("x" * 513, "\u00e9" * 257, "x" * 1_000_000, ""),
    ],
    ids=shown,
)
def test_an_id_that_could_deceive_is_refused(shared: tuple[httpx.Client, Path], id: str) -> None:
    """Control and direction characters, other spellings of the same text, too much of it."""
    client, _ = shared
    items = json.dumps([{"id": id}])
    answer = client.post("/v1/items", files={"image": picture_bytes("red")}, data={"items": items})

    assert answer.status_code in {400, 422}, answer.text
    assert client.get("/v1/gallery").json()["count"] == 0


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("/v1/search", b"[" * 100_000),
        ("/v1/search", b'{"query":' * 50_000),
        ("/v1/search", b'{"filter": ' + b'{"and": [' * 5_000 + b"]}" * 5_000 + b"}"),
        ("/v1/search", b'{"query": "\\ud800"}'),
        ("/v1/search", b'{"query": NaN}'),
        ("/v1/search", b'{"k": Infinity}'),
        ("/v1/search", b'{"k": 1e999}'),
        ("/v1/search", b'{"k": ' + b"9" * 100_000 + b"}"),
        ("/v1/items", b'{"items": [{"image": "data:image/png;base64' + b"x" * 2_000_000 + b'"}]}'),
        ("/v1/items", b'{"items": [{"image": "' + b"=" * 2_000_000 + b'"}]}'),
        ("/v1/items", b'{"items": [{"image": "QQ==", "metadata": ' + b'{"a":' * 5_000 + b"}"),
        ("/v1/classify", b'{"labels": [' + b'"a",' * 100_000 + b'"a"], "image_id": "red"}'),
    ],
    ids=shown,
)
def test_json_bombs_are_malformed(colours: httpx.Client, path: str, content: bytes) -> None:
    """Depth, half characters, numbers without end, data without its comma: 4xx at once."""
    answer = colours.post(path, content=content, headers=JSON)

    assert 400 <= answer.status_code < 500, answer.text
    assert len(answer.content) < 10_000


@pytest.mark.parametrize(
    ("vector", "status"),
    [
        ("[0, 0, 0, 0, 0, 0, 0, 0]", 422),
        ("[1e39, 0, 0, 0, 0, 0, 0, 0]", 422),
        ("[1e38, 1e38, 1e38, 1e38, 1e38, 1e38, 1e38, 1e38]", 422),
        ("[1e-46, 0, 0, 0, 0, 0, 0, 0]", 422),
        ("[NaN, 0, 0, 0, 0, 0, 0, 1]", 400),
        ("[Infinity, 0, 0, 0, 0, 0, 0, 1]", 400),
        ("[1e999, 0, 0, 0, 0, 0, 0, 1]", 422),
        ("[1, 2, 3]", 422),
        ("[]", 422),
    ],
)
def test_vectors_that_mean_nothing_are_refused(
    colours: httpx.Client, vector: str, status: int
) -> None:
    """Zero, infinite, overflowing and of another size: no search is made with them."""
    content = f'{{"query": [{{"vector": {vector}}}]}}'
    answer = colours.post("/v1/search", content=content, headers=JSON)

    assert answer.status_code in {status, 400}, answer.text


def test_an_original_cannot_become_a_page(empty: httpx.Client) -> None:
    """A picture with a page behind it is served as a picture, in a sandbox, and never sniffed."""
    polyglot = picture_bytes("red", format="GIF") + b"<html><script>alert(1)</script>"
    added = empty.post("/v1/items", files={"image": ("x.html", polyglot, "text/html")})
    place = f"/v1/items/{added.json()['results'][0]['id']}"
    answer = empty.get(f"{place}/image")
    small = empty.get(f"{place}/thumbnail")

    assert answer.headers["content-type"] == "image/gif"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert re.fullmatch(r'(inline|attachment)(; filename="[\w.-]+")?', _disposition(answer))
    assert b"script" in answer.content
    assert b"script" not in small.content


def _disposition(answer: httpx.Response) -> str:
    return answer.headers["content-disposition"]


def test_every_answer_carries_the_security_headers(colours: httpx.Client) -> None:
    """Pages, errors, pictures and refused methods alike; no style or script stands in a page."""
    for method, path in (("GET", "/"), ("GET", "/nowhere"), ("PUT", "/v1/items"), ("GET", "/docs")):
        headers = colours.request(method, path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert "unsafe" not in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]


def test_cookies_and_every_origin_are_never_combined(tmp_path: Path) -> None:
    """A list of * lets every page ask, but never with the cookies of a visitor."""
    with running(tmp_path, cors_origins=["*"]) as client:
        headers = {"Origin": "https://any.example", "Cookie": "sightline_session=x"}
        answer = client.get("/v1/gallery", headers=headers)
        asked = {"Access-Control-Request-Method": "POST", "Origin": "https://any.example"}
        asked["Access-Control-Request-Headers"] = "authorization,x-api-key,content-type"
        preflight = client.options("/v1/search", headers=asked)

    assert answer.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in answer.headers
    assert preflight.status_code == 200
    assert "access-control-allow-credentials" not in preflight.headers


_SERVER = """
import sys
from pathlib import Path
from service.server import run_server
from tests.fakes import FakeEncoder
from tests.service.running import settings_for

run_server(
    settings_for(Path(sys.argv[1]), port=0, log_format=sys.argv[2], log_level="DEBUG",
                 access_log=True, drain_timeout_s=20),
    on_ready=lambda address: print(address, flush=True),
    encoder=FakeEncoder(),
)
"""


@pytest.mark.slow
@pytest.mark.parametrize("log_format", ["console", "json"])
def test_the_log_of_a_server_holds_no_secret(tmp_path: Path, log_format: str) -> None:
    """At DEBUG: no key, cookie, query, id, caption, URL or file name; one line for each record."""
    secret = add_key(keys_path(tmp_path / "gallery"), "shop", Scope.WRITE, now=time.time())
    with (
        (tmp_path / "log").open("wb") as log_file,
        subprocess.Popen(
            [sys.executable, "-c", _SERVER, str(tmp_path), log_format],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=log_file,
            text=True,
        ) as process,
    ):
        try:
            assert process.stdout is not None
            address = process.stdout.readline().strip()
            with httpx.Client(base_url=address, timeout=60, trust_env=False) as client:
                _whisper(client, secret)
            process.terminate()
            assert process.wait(60) == 0
        finally:
            process.kill()
    log = (tmp_path / "log").read_text()

    assert log.count("/v1/search") >= 2
    assert "shop" in log
    assert "whisper" not in log
    assert secret not in log
    assert secret[3:20] not in log
    assert "forged" not in log
    if log_format == "json":
        assert all(isinstance(json.loads(line), dict) for line in log.splitlines())


def _whisper(client: httpx.Client, secret: str) -> None:
    """Send a marked word in every place where a client can send one."""
    headers = {"Authorization": f"Bearer {secret}", "User-Agent": "whisper"}
    client.post("/v1/session", headers=headers)
    client.get("/v1/search", params={"q": "whisper"}, headers=headers)
    client.post("/v1/search", json={"query": "whisper"}, headers=headers)
    client.post(
        "/v1/search", json={"query": [{"image_url": "http://whisper.example"}]}, headers=headers
    )
    items = json.dumps([{"id": "whisper", "caption": "whisper", "metadata": {"whisper": 1}}])
    files = {"image": ("whisper.png", picture_bytes("red"))}
    client.post("/v1/items", files=files, data={"items": items}, headers=headers)
    client.post("/v1/items", files={"image": b"whisper"}, headers=headers)
    client.get("/v1/items/whisper/image", headers=headers)
    client.get("/v1/items/x%0d%0aforged%20line", headers=headers)
    client.get("/whisper%0aforged", headers={**headers, "X-Request-ID": "forged whisper"})
    client.get("/v1/items", headers={"X-API-Key": "whisper"})
    client.get("/v1/search?q=whisper&k=whisper", headers=headers)
    client.post("/v1/search", content=b"whisper", headers={**headers, **JSON})
