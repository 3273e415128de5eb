"""Rules of training.doctor.plan."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import ConfigError
from training.doctor.plan import read_recipe

CONFIGS = Path(__file__).parents[3] / "configs"

pytestmark = pytest.mark.slow  # imports torch and open_clip


def test_a_recipe_says_what_it_plans_and_for_which_model() -> None:
    """Batch, rate and start come from the file, sizes and tokenizer from the architecture."""
    plan, facts = read_recipe(CONFIGS / "fine-tune-vit-b-32.toml")

    assert (plan.batch_size, plan.learning_rate) == (128, 1e-5)
    assert (plan.pretrained, plan.fine_tunes) == (True, True)
    assert (facts.image_size, facts.context_length) == (224, 77)


def test_an_architecture_of_ones_own_counts() -> None:
    """Its context length and picture size, not those of the default model."""
    plan, facts = read_recipe(CONFIGS / "from-scratch-small.toml")

    assert not plan.pretrained
    assert (facts.image_size, facts.context_length) == (64, 16)
    assert facts.tokenizer.count_tokens(["a photo of a cat"]) == [7]


def test_a_locked_tower_bears_a_high_rate(tmp_path: Path) -> None:
    """LiT and LoRA keep the pretrained weights, so they are no fine-tuning in this sense."""
    text = (CONFIGS / "fine-tune-vit-b-32.toml").read_text()
    (tmp_path / "lit.toml").write_text(text + '\n[towers.image]\nmode = "locked"\n')

    plan, _ = read_recipe(tmp_path / "lit.toml")

    assert (plan.pretrained, plan.fine_tunes) == (True, False)


def test_a_recipe_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """The message names the file."""
    with pytest.raises(ConfigError, match=r"none\.toml does not exist"):
        read_recipe(tmp_path / "none.toml")
