"""Rules of ``sightline models``."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli.models import command
from core.errors import ArtifactError, EncoderError, IntegrityError, NotFoundError, ParityError
from encoders.folder import open_model_folder
from encoders.loading import STARTER_MODEL
from tests.fixtures_models import write_tiny_source

# Exports models: one worker does it once.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("cli models")]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Export one tiny model with the command; return the folder of models and what it printed."""
    folder = tmp_path_factory.mktemp("models")
    source = write_tiny_source(folder / "tiny-source")
    result = run("export", f"local-dir:{source}", "--out", folder / "tiny", "--name", "tiny")
    return folder, result.stdout


@pytest.fixture(scope="module")
def models(exported: tuple[Path, str]) -> Path:
    """Return the folder of models."""
    return exported[0]


def run(*arguments: str | Path) -> Result:
    """Run a sub-command; its errors are raised here as ``cli.main`` would see them."""
    return CliRunner().invoke(command, [str(item) for item in arguments], catch_exceptions=False)


def test_models_are_listed_with_their_encoder_ids(models: Path) -> None:
    """The row of the tiny model; its source folder is no model folder."""
    shown = run("list", "--folder", models)
    rows = json.loads(run("list", "--folder", models, "--json").stdout)
    row = next(row for row in rows if row["name"] == "tiny")

    assert row["encoder_id"] == open_model_folder(models / "tiny").encoder_id
    assert (row["dim"], row["image_size"]) == (16, 32)
    assert row["encoder_id"] in shown.stdout
    assert "tiny-source" not in [row["name"] for row in rows]


def test_a_broken_folder_does_not_hide_the_others(models: Path, tmp_path: Path) -> None:
    """It is named on stderr."""
    shutil.copytree(models / "tiny", tmp_path / "good")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "model.json").write_text("{")

    shown = run("list", "--folder", tmp_path)

    assert "tiny" in shown.stdout
    assert "bad" in shown.stderr


def test_a_model_is_shown(models: Path) -> None:
    """What the spec says, the runtimes and the sizes of the files."""
    shown = json.loads(run("show", models / "tiny", "--json").stdout)

    assert shown["runtimes"] == ["openvino", "torch"]
    assert shown["text"]["context_length"] == 77
    assert shown["bytes"]["image.onnx"] == (models / "tiny" / "image.onnx").stat().st_size
    assert "dim: 16\n" in run("show", models / "tiny").stdout


def test_the_layers_of_a_model_are_counted(models: Path) -> None:
    """Both towers and what is directly inside them; the temperature is in the sum alone."""
    counts = json.loads(run("show", models / "tiny", "--json").stdout)["counts"]
    whole = {tower: counts[tower][0]["parameters"] for tower in ("image", "text")}

    assert counts["parameters"] == sum(whole.values()) + 1
    assert "transformer" in [layer["name"] for layer in counts["image"]]
    assert f"parameters in all: {counts['parameters']:,}" in run("show", models / "tiny").stdout


def test_recipes_and_names_are_counted_without_weights() -> None:
    """ViT-B-32 by name, and by the recipe that fine-tunes it."""
    recipe = Path(__file__).parents[2] / "configs" / "fine-tune-vit-b-32.toml"
    by_name = json.loads(run("show", "ViT-B-32", "--depth", "0", "--json").stdout)
    by_recipe = json.loads(run("show", recipe, "--depth", "0", "--json").stdout)

    assert by_name == by_recipe
    assert by_name["counts"]["parameters"] == 151_277_313
    assert len(by_name["counts"]["image"]) == 1


def test_without_torch_a_folder_is_shown_and_not_counted(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The note says why; a name, which is nothing but its layers, is an error."""
    monkeypatch.setitem(sys.modules, "encoders.open_clip_counting", None)

    shown = run("show", models / "tiny", "--json")

    assert json.loads(shown.stdout)["dim"] == 16
    assert json.loads(shown.stdout)["counts"] is None
    assert "layers are not counted: this needs torch" in shown.stderr
    with pytest.raises(EncoderError, match="this needs torch"):
        run("show", "ViT-B-32")


def test_a_folder_without_open_clip_weights_is_not_counted() -> None:
    """The starter model, for example."""
    shown = run("show", STARTER_MODEL)

    assert "holds no open_clip weights" in shown.stderr
    assert "encoder_id: " in shown.stdout


def test_the_model_of_a_run_is_counted(models: Path) -> None:
    """It is no model folder yet, but says what it is."""
    counts = json.loads(run("show", models / "tiny-source", "--json").stdout)["counts"]

    assert counts == json.loads(run("show", models / "tiny", "--json").stdout)["counts"]


def test_a_folder_that_is_no_model_is_not_shown(tmp_path: Path) -> None:
    """The message says what a model folder has."""
    with pytest.raises(NotFoundError, match=r"no model\.json"):
        run("show", tmp_path)


def test_a_good_model_verifies(models: Path) -> None:
    """The number of files and the encoder id are printed."""
    encoder_id = open_model_folder(models / "tiny").encoder_id

    assert f"7 files, encoder id {encoder_id}: ok" in run("verify", models / "tiny").stdout
    assert json.loads(run("verify", models / "tiny", "--json").stdout)["encoder_id"] == encoder_id


def test_a_damaged_model_does_not_verify(models: Path, tmp_path: Path) -> None:
    """The error names the file."""
    copy = Path(shutil.copytree(models / "tiny", tmp_path / "copy"))
    (copy / "text.onnx").write_bytes(b"x")

    with pytest.raises(IntegrityError, match=r"text\.onnx is damaged"):
        run("verify", copy)


def test_an_export_prints_the_cosine_of_each_sample(exported: tuple[Path, str]) -> None:
    """Six pictures, eight texts, the lowest of each and the encoder id."""
    models, shown = exported
    lines = shown.splitlines()

    assert sum("  image  " in line for line in lines) == 6
    assert [line.split()[1] for line in lines if line.startswith("lowest")] == ["image", "text"]
    assert f"encoder id {open_model_folder(models / 'tiny').encoder_id}" in lines[-1]


def test_an_export_can_be_read_by_machines(models: Path, tmp_path: Path) -> None:
    """The spec and the parity of every sample, as JSON; the same source has the same id."""
    source = f"local-dir:{models / 'tiny-source'}"
    report = json.loads(run("export", source, "--out", tmp_path / "again", "--json").stdout)

    assert report["encoder_id"] == open_model_folder(models / "tiny").encoder_id
    assert report["name"] == "tiny-source"
    assert report["parity"]["lowest_text"] > 0.999


def test_an_export_below_the_tolerance_fails(models: Path, tmp_path: Path) -> None:
    """Rounding alone keeps some sample below a cosine of 1 for another size of pictures."""
    with pytest.raises(ParityError, match="nothing was written"):
        run(
            "export",
            models / "tiny-source",
            "--out",
            tmp_path / "m",
            "--image-size",
            "48",
            "--tolerance",
            "1.0",
        )


def test_an_export_never_overwrites(models: Path) -> None:
    """A target that exists is refused."""
    with pytest.raises(ArtifactError, match="exists already"):
        run("export", models / "tiny-source", "--out", models / "tiny")
