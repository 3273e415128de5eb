"""Rules of ``sightline evaluate``, with a tiny random model: what is printed, not how good."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli.evaluate import command
from core.errors import ArtifactError, NotFoundError, PairsError, UsageError
from tests.fakes import COLOURS, picture_bytes
from tests.fixtures_models import export_tiny_model

pytestmark = pytest.mark.slow  # exports a model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Export a tiny model with random weights."""
    return export_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """Write one picture per colour, one corrupt one, and a table that names them."""
    lines = []
    for colour in COLOURS:
        (tmp_path / f"{colour}.png").write_bytes(picture_bytes(colour))
        lines.append({"image": f"{colour}.png", "caption": f"a {colour} sheet", "label": colour})
    (tmp_path / "bad.png").write_bytes(b"broken")
    lines.append({"image": "bad.png", "caption": "a broken sheet", "label": "red"})
    table = tmp_path / "pairs.jsonl"
    table.write_text("\n".join(json.dumps(line) for line in lines))
    return table


def run(*arguments: str | Path) -> Result:
    """Run a sub-command; its errors are raised here as ``cli.main`` would see them."""
    return CliRunner().invoke(command, [str(item) for item in arguments], catch_exceptions=False)


def test_the_ranked_list_of_the_issue_prints_its_rows() -> None:
    """T T F F F T F T with four relevant items."""
    result = run("ranking", "TTFFFTFT", "--relevant", "4")

    assert result.stdout == (
        "precision 1.00 1.00 0.67 0.50 0.40 0.50 0.43 0.50\n"
        "recall 0.25 0.50 0.50 0.50 0.50 0.75 0.75 1.00\n"
        "average precision 0.75\n"
        "reciprocal rank 1.00\n"
    )


@pytest.mark.parametrize("typed", ["TTFFFTFT", "ttffftft", "T T F F F T F T", "1,1,0,0,0,1,0,1"])
def test_a_ranked_list_may_be_typed_in_several_ways(typed: str) -> None:
    """Letters or digits, with or without spaces and commas; relevant is the number of T."""
    assert run("ranking", typed).stdout.startswith("precision 1.00 1.00 0.67")


def test_a_ranked_list_may_come_from_a_file(tmp_path: Path) -> None:
    """With the relevant items that the list misses; --relevant overrides them."""
    path = tmp_path / "list.json"
    path.write_text('{"ranked": [true, false], "relevant": 2}')

    from_file = json.loads(run("ranking", path, "--json").stdout)
    overridden = json.loads(run("ranking", path, "--relevant", "4", "--json").stdout)

    assert from_file == {
        "precision": [1.0, 0.5],
        "recall": [0.5, 0.5],
        "average_precision": 0.5,
        "reciprocal_rank": 1.0,
        "relevant": 2,
    }
    assert overridden["recall"] == [0.25, 0.25]


@pytest.mark.parametrize(
    ("typed", "message"),
    [("TXF", "'X' in 'TXF'"), ("", "is empty"), (" ,", "is empty"), ("FFF", "expected 1 or more")],
)
def test_what_is_no_ranked_list_is_refused(typed: str, message: str) -> None:
    """The message says which letter, and that something must be relevant."""
    with pytest.raises(UsageError, match=message):
        run("ranking", typed)


@pytest.mark.parametrize(
    "content", ['{"ranked": [1, 0]}', '{"relevant": 3}', '{"ranked": [true], "relevant": "2"}']
)
def test_a_file_of_another_shape_is_refused(tmp_path: Path, content: str) -> None:
    """The message shows the shape or the value."""
    path = tmp_path / "list.json"
    path.write_text(content)

    with pytest.raises(UsageError, match="expected"):
        run("ranking", path)


def test_a_file_that_is_not_there_is_named() -> None:
    """A forgotten file is no list of letters."""
    with pytest.raises(ArtifactError, match=r"none\.json does not exist"):
        run("ranking", "none.json")


def test_retrieval_prints_a_table_and_names_the_bad_image(model: Path, pairs: Path) -> None:
    """Results on stdout, the rest on stderr."""
    result = run("retrieval", pairs, "--model", model, "--k", "1,3,6")
    lines = result.stdout.splitlines()

    assert result.exit_code == 0
    assert lines[0].split() == ["k", "precision", "recall", "hit"]
    assert [line.split()[0] for line in lines[1:4]] == ["1", "3", "6"]
    assert lines[3].split()[1:] == ["0.1667", "1.0000", "1.0000"]
    assert [line.rsplit(maxsplit=1)[0].rstrip() for line in lines[5:]] == [
        "mean average precision",
        "mean reciprocal rank",
        "mean R-precision",
    ]
    assert "bad.png" in result.stderr
    assert "1 queries have nothing relevant" in result.stderr


def test_retrieval_prints_the_whole_report_as_json(model: Path, pairs: Path) -> None:
    """The other direction too; k is capped and both are recorded."""
    result = run("retrieval", pairs, "--model", model, "--direction", "image_to_text", "--json")
    report = json.loads(result.stdout)

    assert report["direction"] == "image_to_text"
    assert (report["queries"], report["gallery"]) == (6, 7)
    assert (report["k_requested"], report["k_effective"]) == ([1, 5, 10], [1, 5, 7])
    assert report["provenance"]["model"] == "tiny"
    assert len(report["failed_images"]) == 1


def test_retrieval_writes_the_report_that_it_prints(
    model: Path, pairs: Path, tmp_path: Path
) -> None:
    """--out makes a folder; a second run would not overwrite it, and says so at once."""
    out = tmp_path / "reports" / "first"
    result = run("retrieval", pairs, "--model", model, "--out", out, "--json")

    assert json.loads((out / "metrics.json").read_text()) == json.loads(result.stdout)
    assert (out / "per_query.csv").is_file()
    with pytest.raises(ArtifactError, match="exists already"):
        run("retrieval", pairs, "--model", "not/even/loaded", "--out", out)


def test_only_the_first_pairs_are_used_with_a_limit(model: Path, pairs: Path) -> None:
    """--limit 2 makes a gallery of two."""
    result = run("retrieval", pairs, "--model", model, "--limit", "2", "--json")

    assert json.loads(result.stdout)["gallery"] == 2


def test_columns_of_a_table_can_be_named(model: Path, pairs: Path) -> None:
    """A table of somebody else's making is read as it is."""
    table = pairs.with_name("theirs.csv")
    table.write_text("photo,words\nred.png,a red sheet\nblue.png,a blue sheet\n")

    result = run(
        "retrieval",
        table,
        "--model",
        model,
        "--image-column",
        "photo",
        "--caption-column",
        "words",
        "--json",
    )

    assert json.loads(result.stdout)["pairs"] == 2


@pytest.mark.parametrize("cut_offs", ["", "1,x", "1;5"])
def test_cut_offs_are_numbers_with_commas(model: Path, pairs: Path, cut_offs: str) -> None:
    """The message shows an example."""
    with pytest.raises(UsageError, match="for example 1,5,10"):
        run("retrieval", pairs, "--model", model, "--k", cut_offs)


def test_zeroshot_prints_classes_and_headline(model: Path, pairs: Path) -> None:
    """A row per class that occurs or is predicted, then the means."""
    result = run("zeroshot", pairs, "--model", model, "--templates", "single")
    lines = result.stdout.splitlines()

    assert result.exit_code == 0
    assert lines[0].split() == ["class", "images", "precision", "recall", "F1"]
    assert sorted(line.split()[0] for line in lines[1:7]) == sorted(COLOURS)
    assert [line.rsplit(maxsplit=1)[0].rstrip() for line in lines[8:]] == [
        "accuracy",
        "accuracy top 5",
        "mean per-class recall",
    ]
    assert "templates single" in result.stderr
    assert "1 pairs are left out" in result.stderr


def test_zeroshot_takes_the_labels_it_is_given(model: Path, pairs: Path) -> None:
    """Pairs of other classes are counted; without five classes there is no top 5."""
    result = run("zeroshot", pairs, "--model", model, "--labels", "red, blue", "--json")
    report = json.loads(result.stdout)

    assert [item["label"] for item in report["per_class"]] == ["red", "blue"]
    assert report["images"] == 2
    assert report["pairs_with_other_labels"] == {
        "black": 1,
        "green": 1,
        "white": 1,
        "yellow": 1,
    }
    assert "accuracy_top5" not in report["metrics"]
    assert report["template_set"] == "imagenet7"


def test_zeroshot_takes_a_stored_label_set(model: Path, pairs: Path, tmp_path: Path) -> None:
    """With its own templates unless others are named."""
    from zeroshot.label_sets import LabelSetStore
    from zeroshot.templates import template_set

    LabelSetStore(tmp_path / "g" / "label-sets").save(
        "inks", ["red", "blue", "black"], template_set("name")
    )
    arguments = ("zeroshot", pairs, "--model", model, "--label-set", "inks", "--gallery")

    report = json.loads(run(*arguments, tmp_path / "g", "--json").stdout)

    assert (report["labels"], report["template_set"]) == (3, "name")
    with pytest.raises(NotFoundError, match="known: imagenet"):
        run(*arguments, tmp_path / "elsewhere")


def test_labels_and_a_label_set_exclude_each_other(pairs: Path) -> None:
    """Two sources of labels are a mistake, found before the model is loaded."""
    with pytest.raises(UsageError, match="both given"):
        run("zeroshot", pairs, "--labels", "red", "--label-set", "imagenet")


def test_data_that_is_not_there_is_a_usage_error() -> None:
    """The message says what can be given."""
    with pytest.raises(PairsError, match="give a folder"):
        run("zeroshot", "no/such/folder")
