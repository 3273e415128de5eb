"""Every recipe in configs/towers trains, exports with parity, and serves on both runtimes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import openvino
import pytest
import torch
from torch.nn import functional

from encoders.export import export_model
from encoders.folder import open_model_folder
from encoders.loading import load_encoder
from encoders.torch_onnx import export_tower
from encoders.torch_towers import ImageTower, text_tower
from tests.training.tiny import write_shapes
from training.config import load_config
from training.run import TrainRequest, run_training
from training.towers.open_clip_model import BuiltModel, build_model

ROOT = Path(__file__).parents[3]
RECIPES = sorted((ROOT / "configs" / "towers").glob("*.toml"))
LARGE = {"vgg"}
"""129 million weights, most of a minute and 5 GB: trained and exported in a test of its own."""
QUICK = [path for path in RECIPES if path.stem not in {"vgg", "inception"}]
TEXT_TOWERS = [path for path in RECIPES if path.stem.startswith("text-")] + [
    ROOT / "configs" / "towers" / "vit.toml"
]
TINY_RUN = {
    "data.batch_size": "9",
    "data.workers": "0",
    "schedule.max_steps": "2",
    "run.device": "cpu",
}
TEXTS = ["a", "a red circle!", "two blue squares, and one green triangle " * 5]


def stem(path: Path) -> str:
    """Return the name of a recipe, for test ids."""
    return path.stem


@pytest.fixture(autouse=True)
def in_project(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run where the recipes' relative paths begin."""
    monkeypatch.chdir(ROOT)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Draw eighteen coloured shapes."""
    return write_shapes(tmp_path_factory.mktemp("shapes") / "train", per_kind=2, seed=0)


def build(recipe: Path) -> BuiltModel:
    """Build the model of a recipe with random weights."""
    return build_model(load_config(recipe, {}).model, seed=0)


def test_the_families_that_the_issue_names_have_a_recipe() -> None:
    """Seven image families, four text families beside the usual one, and nothing else."""
    assert {path.stem for path in RECIPES} == {
        "vit",
        "resnet",
        "vgg",
        "inception",
        "mobilenet-v2",
        "efficientnet",
        "convnext",
        "text-rms-transformer",
        "text-lstm",
        "text-cbow",
        "text-bert",
    }


@pytest.mark.slow
@pytest.mark.parametrize("recipe", [path for path in RECIPES if path.stem not in LARGE], ids=stem)
def test_a_recipe_trains_exports_and_serves(recipe: Path, pairs: Path, tmp_path: Path) -> None:
    """Two steps; ONNX within the parity bound; OpenVINO and torch agree and share the id."""
    request = TrainRequest(
        data=[pairs], heldout=None, config=load_config(recipe, TINY_RUN), folder=tmp_path / "run"
    )
    outcome = run_training(request)
    assert outcome.result.steps == 2
    assert outcome.model is not None

    export_model(f"local-dir:{outcome.model}", tmp_path / "served")

    assert open_model_folder(tmp_path / "served").spec.name == "run"
    card = (tmp_path / "served" / "MODEL_CARD.md").read_text()
    is_own = recipe.stem in {"text-cbow", "text-lstm", "text-rms-transformer"}
    assert ("`local-dir:`: no, its text tower is Sightline's" in card) is is_own
    fast = load_encoder(tmp_path / "served", runtime="openvino")
    exact = load_encoder(tmp_path / "served", runtime="torch", device="cpu")
    size = exact.preprocessing.image_size
    pixels_NSS3 = np.random.default_rng(0).integers(0, 256, (3, size, size, 3), dtype=np.uint8)
    assert fast.encoder_id == exact.encoder_id
    np.testing.assert_allclose(
        fast.encode_images(pixels_NSS3), exact.encode_images(pixels_NSS3), atol=1e-4
    )
    np.testing.assert_allclose(fast.encode_texts(TEXTS), exact.encode_texts(TEXTS), atol=1e-4)


@pytest.mark.slow
def test_the_image_tower_of_vgg_trains_and_exports(tmp_path: Path) -> None:
    """One step moves its weights; OpenVINO computes what torch does from the exported file."""
    built = build(ROOT / "configs" / "towers" / "vgg.toml")
    size = built.preprocessing.image_size
    visual = built.model.get_submodule("visual")
    first = visual.get_parameter("trunk.features.0.weight")
    before = first.detach().clone()
    built.model.encode_image(torch.randn(2, 3, size, size)).square().sum().backward()
    torch.optim.SGD(visual.parameters(), lr=1e-4).step()
    assert not torch.equal(first, before)

    tower = ImageTower(built.model.eval(), built.preprocessing)
    pixels_NSS3 = torch.randint(0, 256, (2, size, size, 3), dtype=torch.uint8)
    export_tower(tower, {"pixels": pixels_NSS3}, ({0: torch.export.Dim("items")},), tmp_path / "i")
    run = openvino.Core().compile_model(tmp_path / "i", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

    with torch.no_grad():
        expected = functional.normalize(tower(pixels_NSS3))
    found = functional.normalize(torch.from_numpy(run([pixels_NSS3.numpy()])[0]))
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


@pytest.mark.slow
@pytest.mark.parametrize("recipe", QUICK, ids=stem)
def test_every_weight_of_a_recipe_learns(recipe: Path) -> None:
    """A weight without gradient would be trained by nobody; biases before batch norm aside."""
    model = build(recipe).model
    model.train()
    size = load_config(recipe, {}).model.architecture["vision_cfg"]["image_size"]  # type: ignore[index]  # a table
    ids = build(recipe).tokenizer(TEXTS)

    images, texts = model.encode_image(torch.randn(3, 3, size, size)), model.encode_text(ids)
    (images * texts).sum().backward()

    without = [
        name
        for name, parameter in model.named_parameters()
        if parameter.grad is None and name != "logit_scale"
    ]
    assert without == []


@pytest.mark.parametrize("recipe", TEXT_TOWERS, ids=stem)
def test_trap_17_a_text_may_be_cut_to_its_own_length(recipe: Path) -> None:
    """Filling behind the end changes nothing, whatever ids it has."""
    built = build(recipe)
    tower = text_tower(built.model.eval(), pad_id=0)
    ids = built.tokenizer(["a red cat"])
    length = int(ids[0].argmax()) + 1
    short = ids[:, :length]
    mask, short_mask = torch.ones_like(ids), torch.ones_like(short)
    mask[:, length:] = 0

    with torch.no_grad():
        whole, cut = tower(ids, mask), tower(short, short_mask)

    assert length == 5
    torch.testing.assert_close(cut, whole, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(built.model.encode_text(ids), whole, atol=1e-6, rtol=1e-5)
