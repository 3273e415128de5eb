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


QUICK = ("--resamples", "20")


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
    """Results with intervals on stdout, the rest on stderr."""
    result = run("retrieval", pairs, "--model", model, "--k", "1,3,6", *QUICK)
    lines = result.stdout.splitlines()

    assert result.exit_code == 0
    assert lines[0].split() == ["k", "precision", "recall", "hit", "ndcg"]
    assert [line.split()[0] for line in lines[1:4]] == ["1", "3", "6"]
    assert "0.1667 (0.1667..0.1667)" in lines[3]
    assert any(line.startswith("mean average precision  0.") for line in lines)
    assert lines[-1].startswith("smallest detectable difference of hit@1 at 95 %: ")
    assert "bad.png" in result.stderr
    assert "1 queries have nothing relevant" in result.stderr


def test_retrieval_prints_the_whole_report_as_json(model: Path, pairs: Path) -> None:
    """The other direction too; k is capped and both are recorded."""
    result = run(
        "retrieval", pairs, "--model", model, "--direction", "image_to_text", "--json", *QUICK
    )
    report = json.loads(result.stdout)

    assert report["direction"] == "image_to_text"
    assert (report["queries"], report["gallery"]) == (6, 7)
    assert (report["k_requested"], report["k_effective"]) == ([1, 5, 10], [1, 5, 7])
    assert report["provenance"]["model"] == "tiny"
    assert len(report["data"]["failed_images"]) == 1


def test_retrieval_writes_the_report_that_it_prints(
    model: Path, pairs: Path, tmp_path: Path
) -> None:
    """--out makes a folder; a second run would not overwrite it, and says so at once."""
    out = tmp_path / "reports" / "first"
    result = run("retrieval", pairs, "--model", model, "--out", out, "--json", *QUICK)

    assert json.loads((out / "metrics.json").read_text()) == json.loads(result.stdout)
    assert run("report", out).stdout == (out / "report.md").read_text()
    with pytest.raises(ArtifactError, match="exists already"):
        run("retrieval", pairs, "--model", "not/even/loaded", "--out", out)


def test_bad_rows_are_listed_with_their_lines(model: Path, pairs: Path) -> None:
    """A line that is no JSON, one without an image, an id that occurs twice: named and counted."""
    lines = pairs.read_text().splitlines()
    lines[1] = "no json"
    lines[2] = json.dumps({"caption": "no image"})
    lines += [json.dumps({"id": "x", "image": f"{name}.png"}) for name in ("red", "blue")]
    pairs.write_text("\n".join(lines))

    result = run("retrieval", pairs, "--model", model, "--json", *QUICK)

    skipped = json.loads(result.stdout)["data"]["skipped"]
    assert [item["place"] for item in skipped] == [
        "pairs.jsonl:2",
        "pairs.jsonl:3",
        "pairs.jsonl:9",
    ]
    assert "occurs twice" in skipped[2]["reason"]
    assert "skipped pairs.jsonl:2: " in result.stderr


def test_only_the_first_pairs_are_used_with_a_limit(model: Path, pairs: Path) -> None:
    """--limit 2 makes a gallery of two."""
    result = run("retrieval", pairs, "--model", model, "--limit", "2", "--json", *QUICK)

    assert json.loads(result.stdout)["gallery"] == 2


def test_only_the_first_captions_are_used(model: Path, pairs: Path) -> None:
    """COCO has up to seven captions; papers use five."""
    row = {"image": "red.png", "captions": ["a", "b", "c"]}
    pairs.write_text(json.dumps(row))

    result = run(
        "retrieval", pairs, "--model", model, "--captions-per-image", "2", "--json", *QUICK
    )

    assert json.loads(result.stdout)["queries"] == 2


def test_columns_of_a_table_can_be_named(model: Path, pairs: Path) -> None:
    """A table of somebody else's making is read as it is."""
    table = pairs.with_name("theirs.csv")
    table.write_text("photo,words\nred.png,a red sheet\nblue.png,a blue sheet\n")
    named = ("--image-column", "photo", "--caption-column", "words")

    result = run("retrieval", table, "--model", model, *named, "--json", *QUICK)

    assert json.loads(result.stdout)["data"]["pairs"] == 2


@pytest.mark.parametrize("cut_offs", ["", "1,x", "1;5"])
def test_cut_offs_are_numbers_with_commas(model: Path, pairs: Path, cut_offs: str) -> None:
    """The message shows an example."""
    with pytest.raises(UsageError, match="for example 1,5,10"):
        run("retrieval", pairs, "--model", model, "--k", cut_offs)


def test_a_field_that_no_pair_has_is_refused(model: Path, pairs: Path) -> None:
    """The message names the fields that there are."""
    with pytest.raises(UsageError, match="there are label"):
        run("retrieval", pairs, "--model", model, "--group-by", "shop")


def test_pictures_shared_with_the_training_pairs_are_counted(
    model: Path, pairs: Path, tmp_path: Path
) -> None:
    """The same file, and the same picture saved in another format."""
    train = tmp_path / "train"
    train.mkdir()
    (train / "1.png").write_bytes((tmp_path / "red.png").read_bytes())
    (train / "1.txt").write_text("red")
    (train / "2.jpg").write_bytes(picture_bytes("blue", format="JPEG", size=(64, 48)))
    (train / "2.txt").write_text("blue")

    result = run("retrieval", pairs, "--model", model, "--train", train, "--json", *QUICK)

    overlap = json.loads(result.stdout)["train_overlap"]
    assert (overlap["same_file"], overlap["alike"]) == (1, 1)
    assert "train and test share 2 images" in result.stderr


def test_everything_runs_from_a_file_of_embeddings(
    model: Path, pairs: Path, tmp_path: Path
) -> None:
    """embed, then retrieval and classify without a model: the same report as with it."""
    stored = tmp_path / "pairs.npz"
    shown = run("embed", pairs, "--model", model, "--out", stored).stdout
    from_file = run("retrieval", stored, "--json", *QUICK).stdout
    direct = run("retrieval", pairs, "--model", model, "--json", *QUICK).stdout
    labels = json.loads(run("classify", stored, "--json", *QUICK).stdout)

    assert shown.splitlines()[0].split() == ["images", "6", "of", "7"]
    assert from_file == direct
    assert (labels["labels"], labels["images"]) == (6, 6)
    with pytest.raises(UsageError, match="--limit would change nothing"):
        run("retrieval", stored, "--limit", "2")
    with pytest.raises(UsageError, match="embedded with other labels"):
        run("classify", stored, "--labels", "cat,dog")


def test_a_run_is_scored_without_any_model(model: Path, pairs: Path, tmp_path: Path) -> None:
    """The files of a retrieval give its own numbers again."""
    out = tmp_path / "report"
    first = json.loads(
        run("retrieval", pairs, "--model", model, "--out", out, "--json", *QUICK).stdout
    )
    files = ("--qrels", out / "qrels.trec", "--run", out / "run.trec")

    again = json.loads(run("score", *files, "--k", "1,5", "--json", *QUICK).stdout)

    assert again["metrics"]["hit@5"]["value"] == first["metrics"]["hit@5"]["value"]
    assert again["kind"] == "score"


def test_the_index_of_a_gallery_is_scored_beside_exact_search(
    model: Path, pairs: Path, tmp_path: Path
) -> None:
    """A flat index loses nothing, and says what the model loses; ann measures it too."""
    from encoders.loading import load_encoder
    from index.gallery import Gallery, NewImage

    encoder = load_encoder(model)
    with Gallery.open(tmp_path / "g", encoder) as gallery:
        for colour in COLOURS:
            data = (tmp_path / f"{colour}.png").read_bytes()
            gallery.add([NewImage(data, id=f"{colour}.png", source=colour)])
    encoder.close()
    stored = tmp_path / "pairs.npz"
    run("embed", pairs, "--model", model, "--out", stored)

    report = json.loads(
        run("retrieval", stored, "--index", tmp_path / "g", "--json", *QUICK).stdout
    )
    measured = run("ann", stored, "--index", tmp_path / "g", "--kinds", "flat,ivf-sq8", *QUICK)

    assert report["metrics"]["ann_recall@5"]["value"] == 1.0
    assert report["index_loss"]["hit@1"]["value"] == 0.0
    assert report["exact_metrics"]["hit@1"] == report["metrics"]["hit@1"]
    assert measured.stdout.splitlines()[1].split()[0] == "queries"
    assert "ivf-sq8: not measured" in measured.stderr
    for sweep, message in (
        ("nprobe=1,x", "expected nprobe, efSearch or depth"),
        ("probes=1", "expected nprobe, efSearch or depth"),
        ("nprobe=0", "numbers from 1"),
        ("efSearch=64", "none of --kinds takes efSearch"),
    ):
        with pytest.raises(UsageError, match=message):
            run("ann", stored, "--index", tmp_path / "g", "--kinds", "ivf-sq8", "--sweep", sweep)


def test_classify_prints_classes_and_headline(model: Path, pairs: Path) -> None:
    """A row per class that occurs or is predicted, then the means with their intervals."""
    result = run("classify", pairs, "--model", model, "--templates", "single", *QUICK)
    lines = result.stdout.splitlines()

    assert result.exit_code == 0
    assert lines[0].split() == ["class", "images", "precision", "recall", "F1"]
    assert sorted(line.split()[0] for line in lines[1:7]) == sorted(COLOURS)
    assert lines[8].startswith("accuracy ")
    assert "templates single" in result.stderr
    assert "1 pairs are left out" in result.stderr


def test_classify_takes_the_labels_it_is_given(model: Path, pairs: Path, tmp_path: Path) -> None:
    """With commas or in a file; pairs of other classes are counted."""
    (tmp_path / "labels.txt").write_text("red \n\n  blue\n", encoding="utf-8")
    common = ("--model", model, "--json", *QUICK)
    report = json.loads(run("classify", pairs, "--labels", "red, blue", *common).stdout)
    from_file = run("classify", pairs, "--labels", tmp_path / "labels.txt", *common).stdout

    assert [item["label"] for item in report["per_class"]] == ["red", "blue"]
    assert report["images"] == 2
    assert report["data"]["pairs_with_other_labels"] == {
        "black": 1,
        "green": 1,
        "white": 1,
        "yellow": 1,
    }
    assert "accuracy_top5" not in report["metrics"]
    assert report["settings"]["template_set"] == "imagenet7"
    assert json.loads(from_file) == report


def test_classify_takes_a_stored_label_set(model: Path, pairs: Path, tmp_path: Path) -> None:
    """With its own templates unless others are named."""
    from zeroshot.label_sets import LabelSetStore
    from zeroshot.templates import template_set

    LabelSetStore(tmp_path / "g" / "label-sets").save(
        "inks", ["red", "blue", "black"], template_set("name")
    )
    arguments = ("classify", pairs, "--model", model, "--label-set", "inks", "--gallery")

    report = json.loads(run(*arguments, tmp_path / "g", "--json", *QUICK).stdout)

    assert (report["labels"], report["settings"]["template_set"]) == (3, "name")
    with pytest.raises(NotFoundError, match="known: imagenet"):
        run(*arguments, tmp_path / "elsewhere")


def test_labels_and_a_label_set_exclude_each_other(pairs: Path) -> None:
    """Two sources of labels are a mistake, found before the model is loaded."""
    with pytest.raises(UsageError, match="both given"):
        run("classify", pairs, "--labels", "red", "--label-set", "imagenet")


def test_data_that_is_not_there_is_a_usage_error() -> None:
    """The message says what can be given."""
    with pytest.raises(PairsError, match="give a folder"):
        run("classify", "no/such/folder")


def test_a_filter_needs_a_search_that_filters(pairs: Path) -> None:
    """Exact search of the pairs has no metadata filter; two searches at once are none."""
    with pytest.raises(UsageError, match="--filter is for searches"):
        run("retrieval", pairs, "--filter", '{"a": 1}')
    with pytest.raises(UsageError, match="both given"):
        run("retrieval", pairs, "--index", "g", "--url", "http://127.0.0.1:1")
