"""``sightline judgements``: the same from a folder and through a server, and back into reports."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from core.measures.trec import read_qrels, read_run
from core.pairs.reading import read_pairs
from tests.cli.runs import Run
from tests.service.running import add_colours, running

RED = {"red": 1, "blue": 0}
COLD = {"green": 1, "blue": 1}


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """Serve a gallery with marks of two queries, only to be read; yield its folder and address."""
    folder = tmp_path_factory.mktemp("judged")
    with running(folder) as client:
        add_colours(client)
        put(client, "red", RED)
        put(client, "green blue", COLD)
        yield folder / "gallery", str(client.base_url)


def put(client: httpx.Client, query: str, grades: dict[str, int]) -> None:
    """Mark items of a query."""
    marks = [{"item_id": name, "grade": grade} for name, grade in grades.items()]
    assert client.put("/v1/judgements", json={"query": query, "marks": marks}).is_success


def test_a_folder_and_its_server_say_the_same(run: Run, judged: tuple[Path, str]) -> None:
    """List, and every format of export."""
    folder, url = judged

    for words in (["list"], ["list", "--json"], *(["export", f] for f in ("qrels", "queries"))):
        local = run("judgements", *words, "--gallery", folder)
        assert local == run("judgements", *words, "--url", url)
        assert local[0] == 0
        assert local[1]
    for words in (["export", "run"], ["export", "jsonl"]):
        local = run("judgements", *words, "--gallery", folder)
        assert local == run("judgements", *words, "--url", url)


def test_the_list_shows_queries_with_their_marks(run: Run, judged: tuple[Path, str]) -> None:
    """Right, wrong, gone and the words."""
    code, out, _ = run("judgements", "list", "--gallery", judged[0], "--json")
    found = {one["query"]: (one["right"], one["wrong"]) for one in json.loads(out)["queries"]}

    assert code == 0
    assert found == {"red": (1, 1), "green blue": (2, 0)}


def test_exported_files_are_read_by_evaluate_score(
    run: Run, judged: tuple[Path, str], tmp_path: Path
) -> None:
    """The offline score of the two files is that of `judgements score`."""
    folder, url = judged
    qrels, found = tmp_path / "qrels.trec", tmp_path / "run.trec"
    run("judgements", "export", "qrels", "--gallery", folder, "--out", qrels)
    run("judgements", "export", "run", "--url", url, "--out", found)

    _, offline, _ = run("evaluate", "score", "--qrels", qrels, "--run", found, "--k", "2", "--json")
    _, local, _ = run("judgements", "score", "--gallery", folder, "--k", "2", "--json")
    _, served, _ = run("judgements", "score", "--url", url, "--k", "2", "--json")

    assert set(read_qrels(qrels)) == set(read_run(found))
    expected = json.loads(offline)["metrics"]
    assert json.loads(local)["metrics"] == expected
    assert json.loads(served)["metrics"] == expected
    assert json.loads(local)["provenance"]["encoder_id"] == "fa4e000000000001"


def test_a_score_is_a_report_that_can_be_gated(
    run: Run, judged: tuple[Path, str], tmp_path: Path
) -> None:
    """Written as a folder, and held against a floor."""
    out = tmp_path / "reports" / "judged"
    assert run("judgements", "score", "--gallery", judged[0], "--k", "1", "--out", out)[0] == 0

    codes = []
    for least in (0.5, 1.0):
        rules = tmp_path / f"gate-{least}.toml"
        rules.write_text(f'[floor]\n"recall@1" = {least}\n')
        codes.append(run("evaluate", "gate", out, "--rules", rules)[0])

    assert codes == [0, 1]


def test_pairs_go_into_a_tar(run: Run, judged: tuple[Path, str], tmp_path: Path) -> None:
    """From both sides, with the pictures themselves."""
    for words in (["--gallery", judged[0]], ["--url", judged[1]]):
        target = tmp_path / "pairs.tar"
        assert run("judgements", "export", "pairs", "--out", target, *words)[0] == 0

        captions = {pair.metadata["item_id"]: pair.captions for pair in read_pairs(target)}
        assert captions == {
            "red": ("red",),
            "green": ("green blue",),
            "blue": ("green blue",),
        }


def test_pairs_have_no_place_on_a_terminal(run: Run, judged: tuple[Path, str]) -> None:
    """The message says where to write them."""
    code, _, err = run("judgements", "export", "pairs", "--gallery", judged[0])

    assert code == 2
    assert "--out" in err


def test_marks_are_taken_over_from_lines(
    run: Run, judged: tuple[Path, str], own: str, tmp_path: Path
) -> None:
    """What the other gallery does not have is counted and left out."""
    lines = tmp_path / "marks.jsonl"
    run("judgements", "export", "jsonl", "--gallery", judged[0], "--out", lines)
    with httpx.Client(base_url=own, timeout=60) as client:
        add_colours(client)
        client.delete("/v1/items/green")

    code, out, err = run("judgements", "import", lines, "--url", own)

    assert (code, out) == (0, "3 marks taken over\n")
    assert err.startswith("1 left out")
    assert "red" in run("judgements", "list", "--url", own)[1]


def test_marks_are_taken_over_from_qrels(run: Run, tmp_path: Path) -> None:
    """With the texts of their queries; any grade above 0 is right."""
    with running(tmp_path) as client:
        add_colours(client)
    (tmp_path / "qrels").write_text("q1 0 red 3\nq1 0 blue 0\nq2 0 nobody 1\n")
    (tmp_path / "queries").write_text("q1\ta red thing\nq2\tnobody\n")
    folder = tmp_path / "gallery"
    words = ["--qrels", tmp_path / "qrels", "--queries", tmp_path / "queries"]

    code, out, _ = run("judgements", "import", *words, "--gallery", folder)

    assert (code, out) == (0, "2 marks taken over\n")
    (found,) = json.loads(run("judgements", "list", "--gallery", folder, "--json")[1])["queries"]
    assert (found["query"], found["right"], found["wrong"]) == ("a red thing", 1, 1)


@pytest.mark.parametrize(
    ("queries", "reason"), [("q1 no tab\n", "expected an id, a tab"), ("q9\tred\n", "no text")]
)
def test_queries_that_do_not_fit_are_named(
    run: Run, tmp_path: Path, queries: str, reason: str
) -> None:
    """With the file and what is wrong."""
    (tmp_path / "qrels").write_text("q1 0 red 1\n")
    (tmp_path / "queries").write_text(queries)
    words = ["--qrels", tmp_path / "qrels", "--queries", tmp_path / "queries"]

    code, _, err = run("judgements", "import", *words, "--gallery", tmp_path / "gallery")

    assert code == 2
    assert reason in err


def test_nothing_to_import_is_a_usage_error(run: Run, tmp_path: Path) -> None:
    """No file, or qrels without the words of their queries."""
    assert run("judgements", "import", "--gallery", tmp_path)[0] == 2
    assert run("judgements", "import", "--qrels", tmp_path / "q", "--gallery", tmp_path)[0] == 2


def test_a_gallery_without_marks_says_how_to_make_some(run: Run, served: tuple[Path, str]) -> None:
    """List and export are empty, and there is nothing to score."""
    listed = run("judgements", "list", "--gallery", served[0])
    scored = run("judgements", "score", "--url", served[1])

    assert (listed[0], listed[1]) == (0, "")
    assert "Judge" in listed[2]
    assert scored[0] == 2
    assert run("judgements", "export", "qrels", "--url", served[1])[1] == ""
