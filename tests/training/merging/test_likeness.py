"""Rules of training.merging.likeness: what may be merged, and what is said otherwise."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core.errors import ConflictError
from tests.training.merging.models import CONFIG, changed, tiny
from training.merging.likeness import refuse_different
from training.merging.sources import load_merge_model

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the model that the others are compared with."""
    return tiny(tmp_path_factory.mktemp("likeness") / "base")


def refusal(base: Path, other: Path) -> str:
    """Return what is said of two models."""
    with pytest.raises(ConflictError) as caught:
        refuse_different(load_merge_model(str(base)), load_merge_model(str(other)))
    return str(caught.value)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (changed(vision__layers=2), "vision_cfg.layers is 2 in the one and 1 in the other"),
        (changed(vision__head_width=4), "vision_cfg.head_width is 4 in the one and 8"),
        (changed(text__context_length=9), "text_cfg.context_length is 9 in the one and 8"),
        ({**CONFIG, "quick_gelu": True}, "quick_gelu is True in the one and False"),
        (changed(vision__image_size=24), "vision_cfg.image_size is 24 in the one and 16"),
    ],
)
def test_another_architecture_is_refused(
    base: Path, tmp_path: Path, config: dict[str, Any], message: str
) -> None:
    """Also where every tensor has the same shape, as with heads or the activation."""
    other = tiny(tmp_path / "other", config=config)

    assert message in refusal(base, other)


def test_another_preprocessing_is_refused(base: Path, tmp_path: Path) -> None:
    """A mean of towers that saw pictures differently sees neither well."""
    other = tiny(tmp_path / "other")
    file = other / "open_clip_config.json"
    fields = json.loads(file.read_text())
    file.write_text(json.dumps({**fields, "preprocess_cfg": {"mean": [0.5, 0.5, 0.5]}}))

    assert "preprocessing.mean is 0.5 in the one" in refusal(base, other)


def test_another_tokenizer_is_refused(base: Path, tmp_path: Path) -> None:
    """The same weights with texts that are cleaned otherwise give other embeddings."""
    config = changed(text__tokenizer_kwargs={"clean": "whitespace"})
    other = tiny(tmp_path / "other", config=config)

    assert "tokenizer_kwargs" in refusal(base, other)


def test_spelling_is_no_difference(base: Path, tmp_path: Path) -> None:
    """Defaults written out, training-only entries and two sides of a square are all the same."""
    config = changed(vision__image_size=[16, 16], vision__patch_dropout=0.5, vision__mlp_ratio=4.0)
    other = tiny(tmp_path / "other", config={**config, "quick_gelu": False}, seed=1)

    refuse_different(load_merge_model(str(base)), load_merge_model(str(other)))
