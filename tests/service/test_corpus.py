"""Hostile pictures and requests against the running server: the expected status, never a 5xx."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.encoders.mutations import mutations
from tests.fakes import picture_bytes
from tests.service import corpus
from tests.service.raw_http import exchange, status_of
from tests.service.running import add_colours, error_of, running

ACCEPTED = corpus.accepted()
REFUSED = corpus.refused()
MIB = 2**20
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_BODY_LIMIT = 4 * MIB

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's remarks on damage


@pytest.fixture(scope="module", params=["thread", "process"])
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    """Serve six colours, decoding in threads and in processes."""
    folder = tmp_path_factory.mktemp("corpus")
    limits = {
        "max_body_bytes": _BODY_LIMIT,
        "max_images": 8,
        "decode_threads": 1,
        "decode_timeout_s": 60.0,
    }
    with running(folder, decode=request.param, **limits) as client:
        add_colours(client)
        yield client


def resident_bytes() -> int:
    """Return the memory that this process, which is also the server, holds now."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * _PAGE_BYTES


def search(client: httpx.Client, data: bytes, name: str = "a.jpg") -> httpx.Response:
    """Search by a file."""
    return client.post("/v1/search", files={"image": (name, data)})


@pytest.mark.slow
def test_odd_pictures_are_pictures(served: httpx.Client) -> None:
    """Polyglots, text chunks, profiles, damaged EXIF, animations: the red picture is found red."""
    found = {name: search(served, data) for name, data in ACCEPTED.items()}

    assert {name: answer.status_code for name, answer in found.items()} == dict.fromkeys(found, 200)
    assert {answer.json()["hits"][0]["id"] for answer in found.values()} == {"red"}


@pytest.mark.slow
def test_each_hostile_picture_gets_its_status(served: httpx.Client) -> None:
    """Bombs 413, other formats 415, damage 422, whatever the file is called; then all is well."""
    found = {name: search(served, data).status_code for name, (data, _) in REFUSED.items()}

    assert found == {name: status for name, (_, status) in REFUSED.items()}
    assert search(served, picture_bytes("blue")).json()["hits"][0]["id"] == "blue"


@pytest.mark.slow
def test_hostile_pictures_are_not_added(served: httpx.Client) -> None:
    """Each has an error of its own; the good one between them is stored and deleted again."""
    names = list(REFUSED)[:7]
    files = [("image", (name, REFUSED[name][0])) for name in names]
    answer = served.post("/v1/items", files=[*files, ("image", picture_bytes((9, 99, 199)))])
    results = answer.json()["results"]

    assert [entry["status"] for entry in results] == ["error"] * 7 + ["created"]
    assert all(entry["error"]["type"] == "invalid_image" for entry in results[:7])
    assert served.delete(f"/v1/items/{results[7]['id']}").status_code == 200


@pytest.mark.slow
def test_all_modes_and_orientations_of_a_picture_give_the_same_hits(tmp_path: Path) -> None:
    """A grey ramp in twelve modes and eight orientations has the same score everywhere."""
    formats = ["JPEG", "PNG", "TIFF"]
    with running(tmp_path, image_formats=formats) as client:
        add_colours(client)
        pictures = {mode: corpus.in_mode(mode) for mode in corpus.MODES}
        pictures |= {str(number): corpus.oriented(number) for number in range(1, 9)}
        answers = {name: search(client, data) for name, data in pictures.items()}

    assert {answer.status_code for answer in answers.values()} == {200}
    scores = {
        name: {hit["id"]: hit["score"] for hit in answer.json()["hits"]}
        for name, answer in answers.items()
    }
    for name, found in scores.items():
        assert found == pytest.approx(scores["RGB"], abs=0.05), name


@pytest.mark.slow
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF"])
def test_every_step_of_a_transfer_is_refused_or_decoded(served: httpx.Client, format: str) -> None:
    """Files cut at every 37th byte: 200, 415 or 422."""
    data = picture_bytes("red", size=(48, 32), format=format)
    cuts = [data[:length] for length in range(0, len(data), max(1, len(data) // 12))]

    assert {search(served, cut).status_code for cut in cuts} <= {200, 415, 422}


@pytest.mark.slow
def test_damaged_files_in_a_stream_leave_the_service_as_it_was(served: httpx.Client) -> None:
    """Hundreds of mutated files from four clients: no 5xx, and memory stays flat."""
    damaged = [
        data
        for name in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF", "TIFF")
        for data in mutations(name, 30, seed=5)
    ]
    before = resident_bytes()
    with ThreadPoolExecutor(4) as clients:
        statuses = set(clients.map(lambda data: search(served, data).status_code, damaged))

    assert statuses <= {200, 413, 415, 422}
    assert resident_bytes() - before < 300 * MIB
    assert search(served, picture_bytes("green")).json()["hits"][0]["id"] == "green"


def form(parts: bytes, *, boundary: bytes = b"x", extra: bytes = b"") -> bytes:
    """Return a raw search request with this multipart body."""
    body = parts + b"--" + boundary + b"--\r\n"
    return (
        b"POST /v1/search HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
        b"Content-Type: multipart/form-data; boundary=" + boundary + b"\r\n" + extra
        + b"Content-Length: %d\r\n\r\n" % len(body) + body
    )  # fmt: skip


def part(name: bytes, value: bytes, *, boundary: bytes = b"x", more: bytes = b"") -> bytes:
    """Return one part of a form."""
    head = b'Content-Disposition: form-data; name="' + name + b'"' + more
    return b"--" + boundary + b"\r\n" + head + b"\r\n\r\n" + value + b"\r\n"


PICTURE = part(b"image", picture_bytes("red"), more=b'; filename="a.png"')
JSON_HEAD = b"POST /v1/search HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"

RAW: dict[str, tuple[bytes, set[int]]] = {
    "good": (form(PICTURE), {200}),
    "10000 fields": (form(part(b"a", b"b") * 10_000), {400}),
    "1001 files": (form(part(b"image", b"x", more=b'; filename="a"') * 1001), {400}),
    "9 files of at most 8": (form(PICTURE * 9), {422}),
    "part with a header of 1 MB": (
        form(part(b"image", b"x", more=b'; filename="' + b"a" * MIB + b'"')),
        {400, 415},
    ),
    "part with 10000 headers": (form(part(b"a", b"b", more=b"\r\nX-A: b" * 10_000)), {400}),
    "part without a name": (form(b"--x\r\nContent-Disposition: form-data\r\n\r\na\r\n"), {400}),
    "file name that is a path": (
        form(part(b"image", picture_bytes("red"), more=b'; filename="../../etc/passwd"')),
        {200},
    ),
    "boundary of 300 bytes": (
        form(part(b"text", b"red", boundary=b"b" * 300), boundary=b"b" * 300),
        {200, 400},
    ),
    "no boundary": (form(PICTURE).replace(b"; boundary=x", b""), {400}),
    "form without an end": (form(PICTURE[:-40]), {400, 415, 422}),
    "gzip": (form(PICTURE, extra=b"Content-Encoding: gzip\r\n"), {415}),
    "unknown content type": (form(PICTURE).replace(b"multipart/form-data", b"text/x-evil"), {415}),
    "negative length": (JSON_HEAD + b"Content-Length: -5\r\n\r\n{}", {400}),
    "length of words": (JSON_HEAD + b"Content-Length: many\r\n\r\n{}", {400}),
    "length of 2^70": (JSON_HEAD + b"Content-Length: %d\r\n\r\n{}" % 2**70, {400, 413}),
    "length of a terabyte": (JSON_HEAD + b"Content-Length: 1000000000000\r\n\r\n{}", {413}),
    "two lengths": (JSON_HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}x", {400}),
    "length and chunks": (
        JSON_HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        {400},
    ),
    "chunk without a number": (JSON_HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", {400}),
    "unknown encoding": (JSON_HEAD + b"Transfer-Encoding: gzip\r\n\r\n{}", {0, 400, 411, 501}),
    "100000 brackets": (
        JSON_HEAD + b"Content-Length: 100000\r\nConnection: close\r\n\r\n" + b"[" * 100_000,
        {400},
    ),
    "not a number": (
        JSON_HEAD
        + b"Content-Length: 34\r\nConnection: close\r\n\r\n"
        + b'{"query":[{"vector":[NaN,1,2,3]}]}',
        {400},
    ),
    "header with a line break": (
        b"GET /v1/search?q=red HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: b\rX-C: d\r\n\r\n",
        {400},
    ),
    "nul in the path": (
        b"GET /v1/items/a%00b HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
        {400, 404},
    ),
    "path out of the root": (
        b"GET /../../etc/passwd HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
        {404},
    ),
    "address of another server": (
        (b"GET http://example.org/v1/search?q=red HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        b"Connection: close\r\n\r\n"),
        {200, 400, 403, 404},
    ),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", RAW)
def test_each_hostile_request_gets_its_status(raw_served: httpx.Client, name: str) -> None:
    """Floods, lying lengths and broken framing are refused; the next request is answered."""
    request, expected = RAW[name]

    assert status_of(exchange(raw_served, request, then_close=False)) in expected
    assert raw_served.get("/v1/search", params={"q": "red"}).json()["hits"][0]["id"] == "red"


@pytest.fixture(scope="module")
def raw_served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Serve six colours to clients that send what no library would."""
    limits = {"max_body_bytes": _BODY_LIMIT, "max_images": 8, "decode_threads": 1}
    folder = tmp_path_factory.mktemp("raw")
    with running(folder, **limits) as client:
        add_colours(client)
        yield client


@pytest.mark.slow
def test_a_chunk_of_a_terabyte_reserves_nothing(raw_served: httpx.Client) -> None:
    """A chunk is what arrives, not what it claims; when its client leaves, all of it is free."""
    chunk = b"ffffffffff\r\n" + b"x" * 100
    exchange(raw_served, JSON_HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunk, then_close=True)

    while "sightline_bytes_in_flight 0.0" not in raw_served.get("/metrics").text:
        pass


@pytest.mark.slow
def test_a_body_without_end_is_cut_off_and_takes_no_memory(raw_served: httpx.Client) -> None:
    """Half a gigabyte in chunks: refused at the limit, nothing of it is kept."""
    before = resident_bytes()
    sent = 0

    def chunks() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(512):
            sent += MIB
            yield bytes(MIB)

    head = {"content-type": "application/json"}
    try:
        answer = raw_served.post("/v1/search", content=chunks(), headers=head)
    except httpx.TransportError:
        # The server closed the connection while the client was still sending.
        assert sent < 512 * MIB
    else:
        assert error_of(answer, 413)["code"] == "body_too_large"
    assert resident_bytes() - before < 200 * MIB


@pytest.mark.slow
def test_base64_of_the_wrong_kind_is_refused_quickly(raw_served: httpx.Client) -> None:
    """Megabytes without a comma, with spaces or with a URL inside are no image."""
    texts = [
        "data:image/png;base64" + "a" * (3 * MIB),
        "data:" + "," * 1000,
        " " * (2 * MIB) + "aaaa",
        base64.b64encode(b"<svg/>").decode(),
        "file:///etc/passwd",
    ]
    found = [
        raw_served.post("/v1/search", json={"query": [{"image": text}]}).status_code
        for text in texts
    ]

    assert set(found) <= {400, 413, 415, 422}
