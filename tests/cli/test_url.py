"""Rules of ``--url``: a command prints the same, be the gallery a folder or behind a server."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from cli.main import COMMANDS
from core.types import JSONObject
from tests.cli.runs import Run
from tests.fakes import picture_bytes
from tests.service.running import add_colours, running
from tests.sightline.scripted import answer, error, scripted

ROOT = Path(__file__).parent.parent.parent


def without_time(text: str) -> JSONObject:
    """Return a JSON answer without what differs from run to run."""
    answer: JSONObject = json.loads(text)
    answer.pop("took_ms")
    return answer


@pytest.mark.parametrize(
    "words",
    [
        ["a red car"],
        ["a red car -green 2:blue", "--k", "3", "--explain"],
        ["--image", "IMAGE", "green", "--explain"],
        ["square", "--mode", "keyword"],
        ["red square", "--mode", "hybrid", "--filter", '{"n": {"gte": 3}}'],
        ["red", "--filter", '{"n": 99}'],
        ["id:blue -id:red"],
    ],
    ids=lambda words: " ".join(words)[:30],
)
def test_search_prints_the_same(
    run: Run, served: tuple[Path, str], tmp_path: Path, words: list[str]
) -> None:
    """As a table and as JSON, with scores to the last digit that is shown."""
    folder, url = served
    (tmp_path / "image.png").write_bytes(picture_bytes("blue"))
    words = ["search", *(str(tmp_path / "image.png") if w == "IMAGE" else w for w in words)]

    local, remote = run(*words, "--gallery", folder), run(*words, "--url", url)
    local_json = run(*words, "--gallery", folder, "--json")
    remote_json = run(*words, "--url", url, "--json")

    assert local == remote
    assert local[0] == 0
    assert without_time(local_json[1]) == without_time(remote_json[1])


def test_a_cursor_goes_on_with_the_other_form(run: Run, served: tuple[Path, str]) -> None:
    """The first page from the server, the second from the folder: no gap and no repeat."""
    folder, url = served
    first = json.loads(run("search", "red", "--k", 4, "--url", url, "--json")[1])

    words = ["search", "red", "--k", 4, "--cursor", first["cursor"], "--json"]
    local = without_time(run(*words, "--gallery", folder)[1])
    remote = without_time(run(*words, "--url", url)[1])

    assert local == remote
    assert isinstance(local["hits"], list)
    assert len(local["hits"]) == 2


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["search"], 2, "nothing to search for"),
        (["search", "cat", "--k", "0"], 2, "from 1 to 1000"),
        (["search", "cat - dog"], 2, "nothing follows"),
        (["search", "cat", "--filter", "[1]"], 2, "no JSON object"),
        (["search", "id:nobody"], 1, "nobody"),
        (["search", "--image", "/nowhere.png"], 1, "/nowhere.png"),
        (["search", "red", "--cursor", "x"], 2, "cursor"),
        (["delete"], 2, "one of the two"),
    ],
)
def test_a_failure_is_the_same(
    run: Run, served: tuple[Path, str], words: list[str], code: int, message: str
) -> None:
    """Exit code and message, whoever noticed it."""
    folder, url = served

    local, remote = run(*words, "--gallery", folder), run(*words, "--url", url)

    assert local == remote
    assert (local[0], local[1]) == (code, "")
    assert message in local[2]


def test_delete_prints_the_same(run: Run, tmp_path: Path) -> None:
    """By ids with an unknown one, and by a filter; what is left is counted."""
    outputs = []
    for kind in ("folder", "server"):
        place = tmp_path / kind
        with running(place) as http:
            add_colours(http)
            where = ["--url", str(http.base_url)]
            if kind == "server":
                outputs.append(_deletions(run, where))
        if kind == "folder":
            outputs.append(_deletions(run, ["--gallery", str(place / "gallery")]))

    assert outputs[0] == outputs[1]
    assert json.loads(outputs[0][1][1]) == {"deleted": 2, "left": 3}


def _deletions(run: Run, where: list[str]) -> list[tuple[int, str, str]]:
    first = run("delete", "red", "nobody", "--yes", *where)
    by_filter = run("delete", "--filter", '{"n": {"lt": 3}}', "--yes", "--json", *where)
    code, out, err = first
    return [(code, out.replace(where[1], "PLACE"), err), by_filter]


def test_add_prints_the_same(run: Run, own: str, tmp_path: Path, pictures: Path) -> None:
    """A folder with a corrupt file, the same once more, then a table with captions."""
    outputs = []
    for where in (["--gallery", str(tmp_path / "g")], ["--url", own]):
        found = []
        for sources in ([pictures], [pictures], [pictures / "pairs.csv"]):
            code, out, err = run("add", *sources, *where, "--json")
            summary = json.loads(out)
            assert summary.pop("gallery") == where[1]
            summary.pop("bound_by")
            problems = [line for line in err.splitlines() if "corrupt.jpg" in line]
            found.append((code, summary, problems))
        outputs.append(found)

    local, remote = outputs
    assert [summary["created"] for _, summary, _ in remote] == [6, 0, 2]
    assert [summary["unchanged"] for _, summary, _ in remote] == [0, 6, 0]
    assert [len(problems) for _, _, problems in remote] == [1, 1, 0]
    assert local == remote


def test_what_was_added_through_the_server_is_found(run: Run, own: str, pictures: Path) -> None:
    """Captions, ids and metadata of a table arrive."""
    run("add", pictures / "pairs.csv", "--url", own)

    hit = json.loads(run("search", "red", "--url", own, "--json")[1])["hits"][0]

    assert (hit["id"], hit["caption"], hit["metadata"]) == ("r1", "a red square", {"year": "2020"})


def test_an_add_without_any_success_fails(run: Run, own: str, pictures: Path) -> None:
    """Exit code 1, the reason and the count."""
    code, out, err = run("add", pictures / "corrupt.jpg", "--url", own)

    assert code == 1
    assert out.startswith("0 added, 0 updated, 0 unchanged, 1 failed;")
    assert "corrupt.jpg" in err
    assert "nothing was added" in err


def test_fields_are_listed_indexed_and_forgotten_alike(
    run: Run, own: str, pictures: Path, tmp_path: Path
) -> None:
    """A field of a table, an index on it, and one that is not there."""
    commands = [
        ["list"],
        ["add", "year"],
        ["add", "year"],
        ["list", "--json"],
        ["drop", "year"],
        ["drop", "year"],
        ["add", 'a"b'],
    ]
    outputs = []
    for where in (["--gallery", str(tmp_path / "g")], ["--url", own]):
        run("add", pictures / "pairs.csv", *where)
        outputs.append([run("fields", *words, *where) for words in commands])

    local, remote = outputs
    assert local == remote
    assert [code for code, _, _ in remote][:5] == [0] * 5
    assert json.loads(remote[3][1]) == {"fields": [{"name": "year", "items": 2, "indexed": True}]}


def test_list_shows_the_gallery_of_a_server(run: Run, served: tuple[Path, str]) -> None:
    """The columns of a folder's gallery; what the server does not tell is a dash, or null."""
    folder, url = served

    code, out, _ = run("list", "--url", url)
    header, row = out.splitlines()
    listed = json.loads(run("list", "--url", url, "--json")[1])["galleries"]
    local = json.loads(run("list", folder, "--json")[1])["galleries"]

    assert code == 0
    assert header.split() == run("list", folder)[1].splitlines()[0].split()
    assert row.split() == [url, "6", "fake", "flat", "-", "-", "-"]
    assert [set(one) for one in listed] == [set(one) for one in local]
    assert (listed[0]["items"], listed[0]["encoder_id"]) == (6, local[0]["encoder_id"])
    assert run("list", folder, "--url", url)[0] == 2


@pytest.mark.parametrize("option", ["--watch", "--retry-failed", "--failed"])
def test_options_that_need_the_folder_say_so(
    run: Run, own: str, pictures: Path, option: str
) -> None:
    """The server has no record of the files of this machine."""
    code, _, err = run("add", pictures, option, "--url", own)

    assert code == 2
    assert f"{option} needs the gallery's folder" in err


def test_the_environment_names_server_and_key(
    run: Run, served: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """``--gallery`` stands above SIGHTLINE_URL; the key is sent as it is."""
    folder, url = served
    monkeypatch.setenv("SIGHTLINE_URL", url)
    monkeypatch.setenv("SIGHTLINE_API_KEY", "unused")
    by_environment = run("search", "red", "--k", 1)
    monkeypatch.setenv("SIGHTLINE_URL", "http://127.0.0.1:9")

    assert by_environment == run("search", "red", "--k", 1, "--gallery", folder)
    assert by_environment[0] == 0


@pytest.mark.parametrize("other", [["--gallery", "g"], ["--model", "m"]])
def test_options_that_exclude_a_server_are_refused(run: Run, other: list[str]) -> None:
    """Both at once could only surprise."""
    code, _, err = run("search", "red", "--url", "http://127.0.0.1:9", *other)

    assert code == 2
    assert other[0] in err


@pytest.mark.slow
def test_ctrl_c_ends_an_add_at_once(pictures: Path) -> None:
    """Also while it waits for a server that is busy for long: exit code 130, and what is done."""
    gallery = {
        "count": 0,
        "dimension": 8,
        "encoder_id": "fa4e000000000001",
        "model": "fake",
        "index": "flat",
        "coverage": 1.0,
    }
    script = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from cli.main import main; main()"

    def reply(request: bytes) -> bytes:
        if request.startswith(b"GET /v1/gallery"):
            return answer(200, gallery)
        return error(429, "busy", {"Retry-After": "29"})

    with (
        scripted(reply) as server,
        subprocess.Popen(
            [sys.executable, "-c", script, "add", str(pictures), "--url", server.url],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        try:
            deadline = time.monotonic() + 300
            while len(server.requests) < 2:
                assert time.monotonic() < deadline
                time.sleep(0.02)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=300)
        finally:
            process.kill()

    assert (process.returncode, out) == (130, "")
    assert "stopped; so far 0 added" in err
    assert "The same command goes on from here." in err
    assert "Traceback" not in err


def test_an_address_that_is_none_is_a_usage_error(run: Run) -> None:
    """Exit code 2, with an example of one."""
    code, _, err = run("search", "red", "--url", "localhost:8000")

    assert code == 2
    assert "http://127.0.0.1:8000" in err


def test_a_server_that_is_not_there_is_a_failure(
    run: Run, own: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 1 and one line; an ``add`` says it before it reads anything."""
    from cli import served_gallery
    from sightline.retries import RetryRule

    monkeypatch.setattr(served_gallery, "_QUESTION", RetryRule(attempts=1))
    httpx.get(f"{own}/healthz", trust_env=False, timeout=60)

    code, out, err = run("search", "red", "--url", "http://127.0.0.1:1")

    assert (code, out) == (1, "")
    assert "is the server running there?" in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    "words",
    [
        ["doctor"],
        ["compact"],
        ["backup", "x.tar"],
        ["restore", "x.tar"],
        ["index", "show"],
        ["duplicates"],
        ["export", "x"],
        ["import", "x"],
        ["serve"],
        ["train"],
        ["keys", "list"],
    ],
    ids=" ".join,
)
def test_commands_on_files_of_this_machine_say_so(run: Run, words: list[str]) -> None:
    """Exit code 2 and the remedy, even where arguments are missing."""
    code, out, err = run(*words, "--url", "http://127.0.0.1:9")

    assert (code, out) == (2, "")
    assert f"sightline {words[0]}" in err
    assert "takes no --url" in err


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_knows_the_option(name: str) -> None:
    """Each command, and each of the sub-commands of a group, works with it or says why not."""
    import click

    from cli.main import command

    found = command.get_command(click.Context(command), name)

    assert found is not None
    for leaf in _leaves(found):
        assert any(parameter.name == "url" for parameter in leaf.params), leaf.name


def _leaves(command: object) -> Iterator[object]:
    import click

    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            yield from _leaves(command.get_command(click.Context(command), name))
    else:
        yield command
