"""``sightline evaluate`` with the starter model on the example gallery, from pairs to a report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cli.evaluate import command

pytestmark = pytest.mark.slow  # loads the starter model

PAIRS = Path(__file__).parent.parent.parent / "examples" / "gallery" / "pairs.jsonl"


def run(*arguments: str | Path) -> str:
    """Run a sub-command quickly and return what it prints."""
    words = [str(item) for item in arguments]
    return CliRunner().invoke(command, words, catch_exceptions=False).stdout


def test_the_starter_is_far_better_than_chance_on_the_examples(tmp_path: Path) -> None:
    """Thirty pictures: embedded once, then searched, labelled, and their own run scored again."""
    stored, quick = tmp_path / "examples.npz", ("--resamples", "50")
    run("embed", PAIRS, "--limit", "30", "--out", stored)
    found: dict[str, Any] = json.loads(
        run("retrieval", stored, "--out", tmp_path / "r", "--group-by", "label", "--json", *quick)
    )
    labels = json.loads(run("classify", stored, "--ablate-templates", "--json", *quick))
    again = json.loads(
        run(
            "score",
            *("--qrels", tmp_path / "r" / "qrels.trec", "--run", tmp_path / "r" / "run.trec"),
            *("--json", *quick),
        )
    )

    assert found["metrics"]["hit@1"]["value"] > 5 / 30
    assert len(found["slices"]) > 1
    assert labels["metrics"]["accuracy"]["value"] > 2 / labels["labels"]
    assert len(labels["templates_alone"]) == 7
    for name in ("hit@1", "recall@10", "ndcg@5"):
        assert again["metrics"][name]["value"] == pytest.approx(found["metrics"][name]["value"])
