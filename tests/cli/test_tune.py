"""Rules of ``sightline models tune``, run with a tiny model with random weights."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from cli.gallery_pairs import gallery_pairs
from cli.models import command
from core.errors import ArtifactError, UsageError
from encoders.decoding import read_image_file
from encoders.folder import ModelFolder, open_model_folder
from encoders.loading import load_encoder, runtime_plan
from encoders.openvino_runtime import OpenVINOEncoder
from encoders.runtime_table import read_runtime_table
from index.adding import NewImage
from index.gallery import Gallery
from tests.fakes import FakeEncoder, picture_bytes
from tests.fixtures_models import export_tiny_model

pytestmark = pytest.mark.slow  # compiles each tower in a dozen ways


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Export a tiny model."""
    return export_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with sixty pictures of noise and a table of their captions."""
    folder = tmp_path_factory.mktemp("pictures")
    random = np.random.default_rng(0)
    rows = []
    for number in range(60):
        levels = random.integers(0, 256, (40, 48, 3), dtype=np.uint8)
        Image.fromarray(levels).save(folder / f"{number}.png")
        rows.append({"id": f"p{number}", "image": f"{number}.png", "captions": [f"noise {number}"]})
    (folder / "pairs.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    return folder


def run(*arguments: str | Path) -> Result:
    """Run ``sightline models tune``; its errors are raised here."""
    return CliRunner().invoke(
        command, ["tune", *(str(item) for item in arguments)], catch_exceptions=False
    )


@pytest.fixture(scope="module")
def tuned(
    model: Path, pictures: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[ModelFolder, str]:
    """Tune the tiny model once in every precision; return the folder and what was printed."""
    out = tmp_path_factory.mktemp("tuned") / "m"
    shown = run(model, "--pairs", pictures / "pairs.jsonl", "--out", out, "--rounds", "1")
    return open_model_folder(out), shown.stdout


def test_every_precision_is_in_the_table_with_its_figures(tuned: tuple[ModelFolder, str]) -> None:
    """What failed the gate says why and is not chosen."""
    folder, shown = tuned
    table = read_runtime_table(folder)

    assert table is not None
    assert [row.precision for row in table.variants] == ["float32", "bfloat16", "int8"]
    for row in table.variants:
        assert row.precision in shown
        assert bool(row.reason) != row.passed
    int8 = table.variants[2]
    assert int8.fidelity is not None
    assert int8.fidelity.pictures == 60
    assert folder.has_int8 == int8.passed
    chosen = {table.chosen.image.precision, table.chosen.images.precision}
    assert chosen <= {row.precision for row in table.variants if row.passed}


def test_a_tuned_copy_runs_as_it_was_measured(tuned: tuple[ModelFolder, str], model: Path) -> None:
    """By the chosen plan, or by that of the precision asked for; float32 gives what it gave."""
    folder = tuned[0]
    table = read_runtime_table(folder)
    pixels = np.random.default_rng(1).integers(0, 256, (13, 32, 32, 3), dtype=np.uint8)
    texts = [f"text {'word ' * number}" for number in range(40)]

    fast = load_encoder(folder.path, precision="float32")
    exact = OpenVINOEncoder(open_model_folder(model))

    assert table is not None
    assert runtime_plan(folder) == table.chosen
    assert isinstance(fast, OpenVINOEncoder)
    assert fast.plan == table.variants[0].plan
    assert fast.encoder_id == exact.encoder_id
    np.testing.assert_allclose(fast.encode_images(pixels), exact.encode_images(pixels), atol=1e-5)
    np.testing.assert_allclose(fast.encode_texts(texts), exact.encode_texts(texts), atol=1e-5)


def test_the_pictures_of_a_gallery_are_pairs(tmp_path: Path) -> None:
    """Those with a caption, in order of their ids, with the bytes that were added."""
    images = [
        NewImage(id=f"p{number}", data=picture_bytes(name), caption=caption)
        for number, (name, caption) in enumerate([("blue", "sea"), ("red", ""), ("green", "wood")])
    ]
    with Gallery.open(tmp_path / "gallery", FakeEncoder()) as gallery:
        gallery.add(images)

    pairs = gallery_pairs(tmp_path / "gallery")

    assert [(pair.id, pair.captions) for pair in pairs] == [("p0", ("sea",)), ("p2", ("wood",))]
    assert read_image_file(pairs[1].image) == picture_bytes("green")


def test_pictures_of_the_users_own_are_asked_for(model: Path, tmp_path: Path) -> None:
    """Nothing else can tell what a precision loses; both sources at once are refused too."""
    with pytest.raises(UsageError, match="give --pairs SOURCE or --gallery FOLDER"):
        run(model, "--out", tmp_path / "m")
    with pytest.raises(UsageError, match="give --pairs SOURCE or --gallery FOLDER"):
        run(model, "--pairs", "p.jsonl", "--gallery", tmp_path, "--out", tmp_path / "m")


def test_an_existing_folder_is_refused_before_the_work(model: Path) -> None:
    """Model folders are immutable."""
    with pytest.raises(ArtifactError, match="exists already"):
        run(model, "--pairs", "p.jsonl", "--out", model)
