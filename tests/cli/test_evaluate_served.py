"""Rules of ``sightline evaluate --url``: a server scores as the same gallery does offline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from cli.evaluate import command
from core.errors import UsageError
from core.pairs.pair import Pair
from core.pairs.reading import read_pairs
from evaluation.classify import evaluate_classify
from evaluation.estimates import Statistics
from evaluation.report import Report, report_json
from evaluation.retrieval import evaluate_retrieval
from evaluation.retrieval_options import RetrievalOptions
from sightline.client import Client
from tests.evaluation.colour_pairs import embedded, embedded_with_labels
from tests.fakes import COLOURS, picture_bytes
from tests.service.running import running

pytestmark = pytest.mark.slow  # starts a server

ASKED = {"red": "blue", "green": "green", "blue": "red", "yellow": "white", "white": "white"}
"""What the caption of each picture asks for: some of them are wrong."""


def write_pairs(folder: Path) -> Path:
    """Write a picture per colour with a caption that may be wrong, and one broken picture."""
    lines = []
    for colour, asked in ASKED.items():
        (folder / f"{colour}.png").write_bytes(picture_bytes(colour))
        lines.append(
            {"id": colour, "image": f"{colour}.png", "caption": f"-{asked} car", "label": asked}
        )
    table = folder / "pairs.jsonl"
    table.write_text("\n".join(json.dumps(line) for line in lines))
    return table


def fill(client: httpx.Client, pairs: list[Pair]) -> None:
    """Add the pictures of pairs under their ids."""
    answer = client.post(
        "/v1/items",
        files=[("image", (f"{pair.id}.png", Path(str(pair.image)).read_bytes())) for pair in pairs],
        data={"items": json.dumps([{"id": pair.id} for pair in pairs])},
    )
    assert answer.status_code == 200, answer.text


def served(client: httpx.Client, *arguments: str | Path) -> dict[str, Any]:
    """Run a command against a server and return its report."""
    address = str(client.base_url).rstrip("/")
    words = [*map(str, arguments), "--url", address, "--json", "--resamples", "20"]
    done = CliRunner().invoke(command, words, catch_exceptions=False)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def shared_metrics(one: dict[str, Any], other: Report) -> dict[str, tuple[Any, Any]]:
    """Return the metrics that both have, side by side."""
    theirs: dict[str, Any] = dict(report_json(other))["metrics"]  # type: ignore[arg-type]  # JSON
    return {name: (one["metrics"][name], theirs[name]) for name in one["metrics"] if name in theirs}


def test_retrieval_through_the_server_is_retrieval_offline(tmp_path: Path) -> None:
    """Every metric with a cut-off, interval and counts; a minus in a caption is a letter."""
    table = write_pairs(tmp_path)
    pairs = read_pairs(table)
    options = RetrievalOptions(ks=(1, 3), statistics=Statistics(resamples=20))
    with running(tmp_path) as client:
        fill(client, pairs)
        report = served(client, "retrieval", table, "--k", "1,3")

    both = shared_metrics(report, evaluate_retrieval(embedded(pairs), options))
    assert {"hit@1", "recall@3", "ndcg@3", "precision@1"} <= set(both)
    assert all(left == right for left, right in both.values()), both
    assert 0 < report["metrics"]["hit@1"]["value"] < 1
    assert report["search"]["plans"] == {"exact": 5}
    assert report["metrics"]["latency_p95_ms"]["unit"] == "ms"
    offline = embedded(pairs).provenance
    assert report["comparable"]["data"] == offline.data_digest
    assert report["provenance"]["encoder_id"] == offline.encoder_id


def test_images_ask_the_server_for_images(tmp_path: Path) -> None:
    """Each picture is uploaded; it is dropped from its hits, those of its label are relevant."""
    table = write_pairs(tmp_path)
    pairs = read_pairs(table)
    options = RetrievalOptions(
        ks=(1, 3),
        direction="image_to_image",
        relevance="label",
        statistics=Statistics(resamples=20),
    )
    with running(tmp_path) as client:
        fill(client, pairs)
        report = served(client, "retrieval", table, "--k", "1,3", "--direction", "image_to_image")

    both = shared_metrics(report, evaluate_retrieval(embedded(pairs), options))
    assert report["queries"] == 2
    assert all(left == right for left, right in both.values()), both


def test_what_the_server_lacks_is_counted(tmp_path: Path) -> None:
    """Four of five pictures are in its gallery, beside one that no pair knows."""
    table = write_pairs(tmp_path)
    pairs = read_pairs(table)
    (tmp_path / "black.png").write_bytes(picture_bytes("black"))
    with running(tmp_path) as client:
        known = [pair for pair in pairs if pair.id != "blue"]
        fill(client, [*known, Pair("black", tmp_path / "black.png", ())])
        report = served(client, "retrieval", table, "--k", "1")

    assert (report["queries"], report["queries_without_relevant"]) == (4, 1)


def test_labels_through_the_server_are_labels_offline(tmp_path: Path) -> None:
    """Accuracy, confusion and calibration; the digests say that the two may be compared."""
    table = write_pairs(tmp_path)
    pairs = read_pairs(table)
    with running(tmp_path) as client:
        report = served(client, "classify", table)

    offline = evaluate_classify(embedded_with_labels(pairs))
    for name in ("accuracy", "mean_per_class_recall", "macro_f1"):
        assert report["metrics"][name]["value"] == offline.metrics[name].value, name
    for name in ("brier", "ece", "accuracy_top5"):
        if name in offline.metrics:
            expected = pytest.approx(offline.metrics[name].value, abs=1e-6)
            assert report["metrics"][name]["value"] == expected, name
    assert report["confusion"] == offline.details["confusion"]
    assert report["comparable"]["labels"] == offline.comparable["labels"]
    assert report["comparable"]["templates"] == offline.comparable["templates"]
    assert report["images"] == len(COLOURS) - 1


def test_a_label_set_of_the_server_is_scored_as_users_get_it(tmp_path: Path) -> None:
    """Its head corrects a picture, and its rule is silent on one: both are in the report.

    Four pictures: red and green are right, yellow is called blue by examples alone, and white is
    below the least cosine.
    """
    truth = {"red": "red", "green": "green", "yellow": "blue", "white": "green"}
    for colour, label in truth.items():
        (tmp_path / "data" / label).mkdir(exist_ok=True, parents=True)
        (tmp_path / "data" / label / f"{colour}.png").write_bytes(picture_bytes(colour))
    known = {"red": (198, 18, 18), "green": (18, 180, 18), "blue": (150, 200, 60)}
    with running(tmp_path / "served") as http, Client(str(http.base_url)) as client:
        client.label_sets.save("traffic", [*known], template_set="name")
        texts = served(http, "classify", tmp_path / "data", "--label-set", "traffic")
        shades = [(210, 230, 30), (215, 210, 40), (225, 215, 10)]
        client.label_sets.examples(
            "traffic", [picture_bytes(shade) for shade in shades], ["blue"] * 3, head="class_means"
        )
        near = [picture_bytes(shade) for shade in known.values()]
        grey = [picture_bytes((200 + 5 * n, 210, 205)) for n in range(4)]
        client.label_sets.calibrate(
            "traffic", [*near, *grey], [*known, *(None for _ in grey)], keep=1.0
        )
        report = served(http, "classify", tmp_path / "data", "--label-set", "traffic@1")

    metrics = report["metrics"]
    assert texts["metrics"]["coverage"]["value"] == 1
    assert texts["served"] == {
        "head": None,
        "calibrated": False,
        "no_label_because": {},
        "warnings": [],
    }
    assert report["settings"]["label_set"] == "traffic@1"
    assert report["served"]["head"] == {"number": 1, "kind": "class_means"}
    assert report["served"]["calibrated"]
    assert sum(report["served"]["no_label_because"].values()) == 1
    assert metrics["coverage"]["value"] == 0.75
    assert metrics["answered_accuracy"]["value"] == 1
    assert metrics["answered_accuracy"]["n"] == 3
    assert metrics["selective_risk"]["value"] == 0
    assert metrics["accuracy"]["value"] == 0.75
    assert texts["metrics"]["accuracy"]["value"] == 0.5
    assert report["comparable"]["labels"] == texts["comparable"]["labels"]


def test_options_of_this_machine_are_refused_with_a_server(tmp_path: Path) -> None:
    """A server searches and labels with its own model, and takes no vectors of a file."""
    table = write_pairs(tmp_path)
    with running(tmp_path) as client:
        for arguments in (
            ("retrieval", table, "--model", "x"),
            ("classify", table, "--ablate-templates"),
            ("retrieval", tmp_path / "pairs.npz"),
            ("classify", tmp_path / "pairs.npz"),
            ("classify", table, "--label-set", "pets", "--templates", "name"),
        ):
            with pytest.raises(UsageError):
                served(client, *arguments)
