"""Rules of ``sightline index``, run as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from encoders.folder import open_model_folder
from encoders.loading import STARTER_MODEL
from index.collection import Collection
from index.items import NewItem
from tests.cli.test_add import sightline
from tests.index.builders import random_units

COUNT = 3000


def open_starter(folder: Path) -> Collection:
    """Open a collection that is bound to the starter model."""
    model = open_model_folder(STARTER_MODEL)
    return Collection.open(folder, encoder_id=model.encoder_id, dim=model.spec.dim)


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a gallery of 3000 vectors of the starter model's dimension, 30 with captions."""
    folder = tmp_path_factory.mktemp("index") / "g"
    with open_starter(folder) as collection:
        vectors_ND = random_units(COUNT, collection.binding.dim)
        collection.upsert(
            [
                NewItem(f"i{row}", vector_D, str(row), caption=f"number {row}" if row < 30 else "")
                for row, vector_D in enumerate(vectors_ND)
            ]
        )
    return folder


@pytest.mark.slow
def test_tune_build_and_show_tell_one_story(gallery: Path) -> None:
    """Captions are the text queries; the choice is recorded, built and shown with its table."""
    tuned = sightline("index", "tune", gallery, "--k", "5", "--json")
    built = sightline("index", "build", gallery, "--json")
    shown = sightline("index", "show", gallery)

    assert tuned.returncode == 0, tuned.stderr
    table = json.loads(tuned.stdout)
    assert table["rows"] == COUNT
    assert {row["text"]["recall"]["queries"] for row in table["measured"]} == {30}
    assert "text recall" in tuned.stderr
    state = json.loads(built.stdout)
    assert state["recorded"]
    assert (state["base"], state["delta"], state["tombstones"]) == (COUNT, 0, 0)
    assert state["plan"] == state["present"] == table["chosen"]
    assert shown.returncode == 0, shown.stderr
    assert f"tuned at {COUNT} rows for ann_recall@5 0.95" in shown.stdout


@pytest.mark.slow
def test_a_plan_can_be_given_and_taken_back(gallery: Path) -> None:
    """A search says which kind it took; auto leaves the choice to the size."""
    given = sightline("index", "build", gallery, "--kind", "pq", "--depth", "512", "--json")
    found = sightline("search", "a cat", "--gallery", gallery, "--json")
    taken_back = sightline("index", "build", gallery, "--kind", "auto", "--json")

    assert json.loads(given.stdout)["search"] == "pq, re-ranked"
    assert json.loads(found.stdout)["plan"] == "pq, re-ranked"
    assert json.loads(taken_back.stdout)["search"] == "exact"
    assert not json.loads(taken_back.stdout)["recorded"]


@pytest.mark.slow
def test_nothing_is_recorded_where_nothing_is_good(gallery: Path, tmp_path: Path) -> None:
    """Five queries prove nothing and exact search does not fit the memory: refused, exit 1."""
    (tmp_path / "q.txt").write_text("a cat\na dog\na car\na tree\na boat\n")
    # Another test of this module may have recorded a plan.
    before = json.loads(sightline("index", "show", gallery, "--json").stdout)
    done = sightline(
        "index", "tune", gallery, "--queries", tmp_path / "q.txt", "--memory", "1", "--json"
    )
    if json.loads(done.stdout)["chosen"] is not None:
        pytest.fail("3000 vectors in 8 bits are more than 1 MB")

    assert done.returncode == 1
    assert "73 or more can" in done.stderr
    assert json.loads(sightline("index", "show", gallery, "--json").stdout) == before


@pytest.mark.slow
def test_what_cannot_be_tuned_says_what_to_give(tmp_path: Path) -> None:
    """No gallery, no captions, both sources, parameters without a kind."""
    with open_starter(tmp_path / "g") as collection:
        vector_D = random_units(1, collection.binding.dim)[0]
        collection.upsert([NewItem("a", vector_D, "1")])

    assert "sightline add" in sightline("index", "show", tmp_path / "missing").stderr
    without = sightline("index", "tune", tmp_path / "g")
    assert (without.returncode, "--queries" in without.stderr) == (2, True)
    both = sightline("index", "tune", tmp_path / "g", "--queries", "a", "--pairs", "b")
    assert both.returncode == 2
    assert sightline("index", "build", tmp_path / "g", "--probes", "3").returncode == 2


@pytest.mark.slow
def test_a_gallery_that_is_written_is_shown_but_not_built(gallery: Path) -> None:
    """Beside a server, show works and build says who writes."""
    with open_starter(gallery):
        shown, built = sightline("index", "show", gallery), sightline("index", "build", gallery)

    assert shown.returncode == 0
    assert built.returncode == 1
    assert "being written by process" in built.stderr
