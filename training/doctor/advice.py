"""Settings to start from, by rules that are written down: each suggestion says where it is from."""

from __future__ import annotations

import math
from dataclasses import dataclass

from training.doctor.plan import RunPlan

FEWEST_TO_TRAIN = 300
"""Below this a pretrained model as it is does better than what so few pairs could teach it."""
FEWEST_FROM_SCRATCH = 3_000_000
"""About the size of Conceptual Captions, on which small models from scratch are usually compared;
a rule of thumb."""

_STEPS_OF_AN_EPOCH = 20
_SMALLEST_BATCH, _FINE_TUNE_BATCH, _CLIP_BATCH = 16, 512, 32_768
_CLIP_RATE = 5e-4
_MANY_PAIRS = 5_000
_CLIP_WARMUP_STEPS, _CLIP_EPOCHS = 2_000, 32
_MEGABYTE = 10**6


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One setting."""

    setting: str
    """Key of a recipe, or what is suggested."""
    value: str
    reason: str


def advise(
    *, usable: int, distinct_captions: int, image_size: int, plan: RunPlan
) -> list[Suggestion]:
    """Return where to start with ``usable`` pairs and a model of ``image_size`` pixels.

    Sources: CLIP's rate, batch and warm-up from Radford et al. 2021, arXiv:2103.00020, tables 18
    and 20; a smaller batch takes the square root of the ratio (Malladi et al. 2022,
    arXiv:2205.10287); rates of fine-tuning from Goyal et al. 2023, arXiv:2212.00638 (FLYP).
    """
    if usable < FEWEST_TO_TRAIN:
        reason = f"{usable} pairs are too few to train on; sightline evaluate shows how it does"
        return [Suggestion("approach", "use a pretrained model as it is", reason)]
    batch = suggested_batch(usable, distinct_captions)
    if usable < FEWEST_FROM_SCRATCH and plan.recipe and not plan.pretrained:
        settings = _small_towers(batch)
    elif usable < FEWEST_FROM_SCRATCH:
        settings = _fine_tuning(usable, batch, keeps=plan.pretrained and not plan.fine_tunes)
    else:
        settings = _from_scratch(usable, batch)
    return [*settings, _cache(usable, image_size, plan)]


def suggested_batch(usable: int, distinct_captions: int) -> int:
    """Return a power of two: at least 20 steps an epoch, no more pairs than different captions."""
    most = _FINE_TUNE_BATCH if usable < FEWEST_FROM_SCRATCH else _CLIP_BATCH
    room = min(usable // _STEPS_OF_AN_EPOCH, distinct_captions, most)
    return int(2 ** math.floor(math.log2(max(room, _SMALLEST_BATCH))))


def cached_megabytes(pairs: int, *, image_size: int, decode_margin: float) -> float:
    """Return the room that ``data.cache`` needs for all decoded pictures, in MB."""
    side = math.ceil(image_size * decode_margin)
    return pairs * side * side * 3 / _MEGABYTE


def _fine_tuning(usable: int, batch: int, *, keeps: bool) -> list[Suggestion]:
    """Return settings for pretrained weights; ``keeps``: some of them are locked or have LoRA."""
    epochs = 5 if usable >= _MANY_PAIRS else 10
    rate = Suggestion(
        "optimiser.learning_rate",
        "1e-5",
        "down to 1e-6; at the 5e-4 of training from scratch it forgets what it knew",
    )
    if keeps:
        reason = "locked and LoRA weights cannot be destroyed by a high one"
        rate = Suggestion("optimiser.learning_rate", "as the recipe", reason)
    return [
        Suggestion(
            "approach",
            "fine-tune a pretrained model: configs/fine-tune-vit-b-32.toml",
            "configs/from-scratch-small.toml shows the loop in minutes",
        ),
        Suggestion("data.batch_size", str(batch), "20 steps or more an epoch; memory may say less"),
        rate,
        Suggestion("schedule.epochs", str(epochs), "--val keeps the best weights"),
        Suggestion("schedule.warmup_fraction", "0.1", "a share of the steps, so it fits any size"),
    ]


def _small_towers(batch: int) -> list[Suggestion]:
    return [
        Suggestion(
            "approach",
            "train small towers from scratch, as the recipe does",
            "they will know only what they were shown; configs/fine-tune-vit-b-32.toml knows more",
        ),
        Suggestion("data.batch_size", str(batch), "20 steps or more an epoch; memory may say less"),
        Suggestion(
            "optimiser.learning_rate", "1e-3", "docs/train.md: 2e-3 was worse, 5e-3 much worse"
        ),
        Suggestion("schedule.epochs", "80", "as configs/from-scratch-small.toml"),
        Suggestion("schedule.warmup_fraction", "0.05", "a share of the steps, so it fits any size"),
    ]


def _from_scratch(usable: int, batch: int) -> list[Suggestion]:
    rate = _CLIP_RATE * math.sqrt(batch / _CLIP_BATCH)
    warmup = _CLIP_WARMUP_STEPS / (usable // batch * _CLIP_EPOCHS)
    return [
        Suggestion(
            "approach",
            "train from scratch, a recipe of your own",
            "or fine-tune: configs/fine-tune-vit-b-32.toml is far cheaper",
        ),
        Suggestion("data.batch_size", str(batch), "CLIP had 32,768; memory decides"),
        Suggestion(
            "optimiser.learning_rate",
            f"{rate:.2g}",
            "CLIP: 5e-4 at 32,768, times sqrt(batch / 32,768) for a smaller one",
        ),
        Suggestion("schedule.epochs", str(_CLIP_EPOCHS), "as CLIP"),
        Suggestion(
            "schedule.warmup_fraction", f"{min(warmup, 0.1):.2g}", "2,000 steps, at most 10 %"
        ),
    ]


def _cache(usable: int, image_size: int, plan: RunPlan) -> Suggestion:
    needed = cached_megabytes(usable, image_size=image_size, decode_margin=plan.decode_margin)
    reason = f"{needed:,.0f} MB decoded, data.cache_limit_mb is {plan.cache_limit_mb:g}"
    if needed <= plan.cache_limit_mb:
        return Suggestion("data.cache", "memory", reason)
    return Suggestion("data.cache", "disk", f"{reason}; raise it where the disk has the room")
