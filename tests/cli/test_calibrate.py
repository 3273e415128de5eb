"""Rules of ``sightline models calibrate``, and the confidence of the starter model."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli.models import command
from core.errors import ArtifactError, EncoderMismatchError
from encoders.calibration_files import read_calibration
from encoders.folder import open_model_folder
from encoders.loading import STARTER_MODEL, load_encoder
from evaluation.embeddings import embed_pairs
from evaluation.embeddings_file import write_embeddings
from index.adding import NewImage
from index.gallery import Gallery
from index.query import Query, parse_query
from tests.evaluation.colour_pairs import pair
from tests.fakes import FakeEncoder

pytestmark = pytest.mark.slow  # loads the starter model

EXAMPLES = Path(__file__).parents[2] / "examples" / "gallery"
NONSENSE = ("kubernetes deployment yaml", "statute of limitations", "asdf qwer zxcv", "irony")


def run(*arguments: str | Path) -> Result:
    """Run ``sightline models calibrate``; its errors are raised here."""
    return CliRunner().invoke(
        command, ["calibrate", *(str(item) for item in arguments)], catch_exceptions=False
    )


def test_a_calibrated_copy_is_written(tmp_path: Path) -> None:
    """From the example gallery's pairs: the same encoder id, a line, and figures as JSON."""
    rows = (EXAMPLES / "pairs.jsonl").read_text().splitlines()[::5]
    found = [json.loads(row) for row in rows]
    for row in found:
        row["image"] = str(EXAMPLES / row["image"])
    (tmp_path / "pairs.jsonl").write_text("\n".join(json.dumps(row) for row in found))
    shown = run(
        STARTER_MODEL, "--pairs", tmp_path / "pairs.jsonl", "--out", tmp_path / "m",
        "--queries", "text", "--json",
    )  # fmt: skip

    folder = open_model_folder(tmp_path / "m")
    calibration = read_calibration(folder)
    assert folder.encoder_id == open_model_folder(STARTER_MODEL).encoder_id
    assert calibration is not None
    assert set(calibration.lines) == {"text"}
    printed = json.loads(shown.stdout)
    assert printed["kinds"] == calibration.about["kinds"]


def test_an_existing_folder_is_refused_before_the_work(tmp_path: Path) -> None:
    """Model folders are immutable."""
    with pytest.raises(ArtifactError, match="exists already"):
        run(STARTER_MODEL, "--pairs", tmp_path / "none.jsonl", "--out", tmp_path)


def test_embeddings_of_another_model_are_refused(tmp_path: Path) -> None:
    """Their scores mean something else."""
    embeddings = embed_pairs(FakeEncoder(), [pair(tmp_path, "a", "red", "red")])
    write_embeddings(embeddings, tmp_path / "pairs.npz")

    with pytest.raises(EncoderMismatchError, match="embed the pairs with this model"):
        run(STARTER_MODEL, "--pairs", tmp_path / "pairs.npz", "--out", tmp_path / "m")


def test_the_starter_model_knows_when_it_has_nothing(tmp_path: Path) -> None:
    """At one least confidence cats are found and nonsense finds nothing."""
    rows = [json.loads(row) for row in (EXAMPLES / "pairs.jsonl").read_text().splitlines()]
    chosen = [row for row in rows if row["id"].startswith("kitten")] + rows[::12]
    unique = {row["id"]: row for row in chosen}
    with (
        closing(load_encoder(STARTER_MODEL, threads=1)) as encoder,
        Gallery.open(tmp_path / "g", encoder) as gallery,
    ):
        gallery.add(
            [
                NewImage((EXAMPLES / row["image"]).read_bytes(), id=row["id"])
                for row in unique.values()
            ]
        )
        cats = gallery.search(Query(parse_query("a cat"), min_confidence=0.2)).hits
        empty = [
            gallery.search(Query(parse_query(text), min_confidence=0.2)).hits for text in NONSENSE
        ]

    assert {hit.id for hit in cats} >= {"kitten", "kitten-wool"}
    assert empty == [() for _ in NONSENSE]
