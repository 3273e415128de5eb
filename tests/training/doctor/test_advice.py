"""Rules of training.doctor.advice."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from training.doctor.advice import advise, cached_megabytes, suggested_batch
from training.doctor.plan import RunPlan

ROOT = Path(__file__).parents[3]
SIZES = (0, 299, 300, 4_999, 5_000, 2_999_999, 3_000_000, 400_000_000)


def values_of(usable: int, plan: RunPlan | None = None) -> dict[str, str]:
    """Return the suggested values by setting."""
    advice = advise(usable=usable, distinct_captions=usable, image_size=224, plan=plan or RunPlan())
    return {one.setting: one.value for one in advice}


@pytest.mark.parametrize(
    ("usable", "distinct", "batch"),
    [
        (300, 300, 16),
        (1_536, 1_419, 64),
        (100_000, 100_000, 512),
        (100_000, 200, 128),
        (100_000, 3, 16),
        (3_000_000, 3_000_000, 32_768),
        (3_000_000, 1_000, 512),
    ],
)
def test_the_batch_leaves_twenty_steps_and_different_captions(
    usable: int, distinct: int, batch: int
) -> None:
    """It is a power of two from 16 on."""
    assert suggested_batch(usable, distinct) == batch


def test_few_pairs_are_not_trained_on() -> None:
    """Below 300 there is one piece of advice."""
    assert values_of(299) == {"approach": "use a pretrained model as it is"}


def test_thousands_of_pairs_fine_tune_at_a_low_rate() -> None:
    """The rate of training from scratch would destroy the model (trap 25)."""
    values = values_of(20_000)

    assert "fine-tune" in values["approach"]
    assert values["optimiser.learning_rate"] == "1e-5"
    assert values["schedule.epochs"] == "5"


def test_a_recipe_that_locks_weights_keeps_its_rate() -> None:
    """LiT and LoRA are not fine-tuning of every weight."""
    values = values_of(20_000, RunPlan(recipe="lit.toml", pretrained=True))

    assert values["optimiser.learning_rate"] == "as the recipe"


def test_millions_train_from_scratch_at_the_rate_of_clip() -> None:
    """At CLIP's batch it is CLIP's rate; an eighth of the batch takes its square root."""
    assert values_of(3_000_000)["optimiser.learning_rate"] == "0.0005"
    advice = advise(usable=3_000_000, distinct_captions=4_096, image_size=224, plan=RunPlan())
    assert advice[2].value == "0.00018"


def test_a_recipe_from_scratch_is_taken_at_its_word() -> None:
    """Whoever asks about small towers gets their rate."""
    values = values_of(1_536, RunPlan(recipe="r.toml", batch_size=128))

    assert "from scratch" in values["approach"]
    assert values["optimiser.learning_rate"] == "1e-3"


@pytest.mark.parametrize(("limit", "cache"), [(307.0, "memory"), (306.0, "disk")])
def test_the_cache_is_suggested_where_it_fits(limit: float, cache: str) -> None:
    """1536 squares of ceil(224 x 1.15) = 258 pixels are 306.7 MB."""
    assert cached_megabytes(1_536, image_size=224, decode_margin=1.15) == pytest.approx(
        306.72, 1e-4
    )
    assert values_of(1_536, RunPlan(cache_limit_mb=limit))["data.cache"] == cache


@pytest.mark.parametrize("usable", SIZES)
def test_every_recipe_that_is_named_exists(usable: int) -> None:
    """Advice leads to files of this repository."""
    advice = advise(usable=usable, distinct_captions=usable, image_size=224, plan=RunPlan())
    text = " ".join(f"{one.value} {one.reason}" for one in advice)

    assert all((ROOT / name).is_file() for name in re.findall(r"(?:configs|docs)/[\w.-]+\w", text))
