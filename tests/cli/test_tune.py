"""Rules of ``sightline models tune``, run with a tiny model with random weights."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from cli.models import command
from core.errors import ArtifactError, UsageError
from encoders.folder import open_model_folder
from encoders.loading import load_encoder, runtime_plan
from encoders.openvino_runtime import OpenVINOEncoder
from encoders.runtime_table import read_runtime_table
from index.adding import NewImage
from index.gallery import Gallery
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


def test_a_tuned_copy_runs_as_it_was_measured(model: Path, pictures: Path, tmp_path: Path) -> None:
    """The folder loads with the chosen plan, and gives what the model gave before."""
    shown = run(
        model, "--pairs", pictures / "pairs.jsonl", "--out", tmp_path / "m", "--rounds", "1",
        "--precisions", "float32", "--json",
    )  # fmt: skip

    folder, plain = open_model_folder(tmp_path / "m"), open_model_folder(model)
    table = read_runtime_table(folder)
    assert table is not None
    assert json.loads(shown.stdout)["chosen"]["image"]["precision"] == "float32"
    assert runtime_plan(folder) == table.chosen
    assert (table.source, len(table.variants)) == (str(pictures / "pairs.jsonl"), 1)
    pixels = np.random.default_rng(1).integers(0, 256, (13, 32, 32, 3), dtype=np.uint8)
    texts = [f"text {'word ' * number}" for number in range(40)]
    fast, exact = load_encoder(folder.path), OpenVINOEncoder(plain)
    assert fast.encoder_id == exact.encoder_id
    np.testing.assert_allclose(fast.encode_images(pixels), exact.encode_images(pixels), atol=1e-5)
    np.testing.assert_allclose(fast.encode_texts(texts), exact.encode_texts(texts), atol=1e-5)


def test_every_precision_is_in_the_table_with_its_figures(
    model: Path, pictures: Path, tmp_path: Path
) -> None:
    """What failed the gate says why and is not chosen; what passed can be asked for."""
    shown = run(
        model, "--pairs", pictures / "pairs.jsonl", "--out", tmp_path / "m", "--rounds", "1"
    )

    folder = open_model_folder(tmp_path / "m")
    table = read_runtime_table(folder)
    assert table is not None
    assert [row.precision for row in table.variants] == ["float32", "bfloat16", "int8"]
    for row in table.variants:
        assert row.precision in shown.stdout
        assert bool(row.reason) != row.passed
    int8 = table.variants[2]
    assert int8.fidelity is not None
    assert int8.fidelity.pictures == 60
    assert folder.has_int8 == int8.passed
    chosen = {table.chosen.image.precision, table.chosen.images.precision}
    assert chosen <= {row.precision for row in table.variants if row.passed}
    if int8.passed:
        encoder = load_encoder(folder.path, precision="int8")
        assert isinstance(encoder, OpenVINOEncoder)
        assert encoder.plan == int8.plan


def test_the_pictures_of_a_gallery_serve_as_well(
    model: Path, pictures: Path, tmp_path: Path
) -> None:
    """Those with a caption; the others are no pairs."""
    with Gallery.open(tmp_path / "gallery", load_encoder(model)) as gallery:
        gallery.add(
            [
                NewImage(
                    id=f"p{number}",
                    data=(pictures / f"{number}.png").read_bytes(),
                    caption="" if number == 0 else f"noise {number}",
                )
                for number in range(52)
            ]
        )

    shown = run(
        model, "--gallery", tmp_path / "gallery", "--out", tmp_path / "m", "--rounds", "1",
        "--precisions", "float32",
    )  # fmt: skip

    assert shown.exit_code == 0
    table = read_runtime_table(open_model_folder(tmp_path / "m"))
    assert table is not None
    assert table.source == str(tmp_path / "gallery")


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
