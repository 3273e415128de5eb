"""Rules of training.merging.sources: what names a model."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from core.errors import ConflictError, EncoderError, NotFoundError
from encoders.open_clip_source import load_open_clip
from tests.training.merging.models import tiny
from training.checkpoint import checkpoint_folder, write_checkpoint
from training.merging.sources import expanded, load_merge_model
from training.state import TrainingState

pytestmark = pytest.mark.slow


def state(step: int) -> TrainingState:
    """Return where a run stands."""
    return TrainingState(
        step=step, epoch=0, cursor=0, horizon=9, seed=0, data_fingerprint="", settings={}
    )


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Write a finished run: a model and two checkpoints."""
    folder = tmp_path / "run"
    model = tiny(folder / "model")
    for step in (2, 10):
        module = load_open_clip(str(model)).module
        with torch.no_grad():
            module.logit_scale.fill_(float(step))
        write_checkpoint(
            checkpoint_folder(folder / "checkpoints", step),
            model=module,
            optimiser=None,
            state=state(step),
        )
    return folder


def test_a_run_means_its_model(run: Path) -> None:
    """RUN, RUN/model and local-dir:RUN/model are the same weights."""
    stored = load_file(run / "model" / "open_clip_model.safetensors")

    for source in (f"{run}", f"{run}/model", f"local-dir:{run}/model"):
        weights = load_merge_model(source).weights
        assert weights.keys() == stored.keys()
        assert all(torch.equal(value, stored[name]) for name, value in weights.items())


def test_checkpoints_are_all_checkpoints_oldest_first(run: Path) -> None:
    """RUN/checkpoints expands in the order of steps; other sources stay as they are."""
    names = [Path(source).name for source in expanded([str(run / "checkpoints"), "ViT-B-32/x"])]

    assert names == ["step-00000002", "step-00000010", "x"]


def test_a_checkpoint_has_its_own_weights(run: Path) -> None:
    """The architecture is that of the run's model, the weights are the checkpoint's."""
    model = load_merge_model(str(run / "checkpoints" / "step-00000010"))

    assert model.weights["logit_scale"] == 10
    assert model.model.spec.dim == 8


def test_a_checkpoint_of_an_unfinished_run_is_refused(run: Path) -> None:
    """Nothing says of which architecture it is."""
    (run / "model").rename(run / "elsewhere")

    with pytest.raises(NotFoundError, match="finish the run first"):
        load_merge_model(str(run / "checkpoints" / "step-00000002"))


def test_a_checkpoint_with_other_tensors_is_refused(run: Path) -> None:
    """The small matrices of LoRA are not in the model that the run exports."""
    module = load_open_clip(str(run / "model")).module
    module.register_buffer("lora_a", torch.zeros(2))
    target = checkpoint_folder(run / "checkpoints", 12)
    write_checkpoint(target, model=module, optimiser=None, state=state(12))

    with pytest.raises(ConflictError, match="lora_a"):
        load_merge_model(str(target))


def test_folders_without_a_model_are_explained(tmp_path: Path) -> None:
    """An empty folder, and one of checkpoints without any."""
    (tmp_path / "checkpoints").mkdir()

    with pytest.raises(NotFoundError, match="no finished run"):
        load_merge_model(str(tmp_path))
    with pytest.raises(NotFoundError, match="no checkpoint"):
        expanded([str(tmp_path / "checkpoints")])


def test_unknown_names_are_explained() -> None:
    """A name without weights is no model to merge."""
    with pytest.raises(EncoderError, match="names no weights"):
        load_merge_model("ViT-B-32")
