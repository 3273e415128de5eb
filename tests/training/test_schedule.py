"""Rules of the learning rate."""

from __future__ import annotations

import math

import pytest
import torch
from open_clip_train.scheduler import const_lr, const_lr_cooldown, cosine_lr

from core.errors import ConfigError
from training.schedule import ScheduleConfig, ScheduleKind, learning_rate_at, total_steps


def test_warm_up_then_cosine() -> None:
    """Two of ten steps climb to the peak, eight fall along a half cosine."""
    config = ScheduleConfig(warmup_fraction=0.2)

    rates = [learning_rate_at(step, peak=1.0, horizon=10, config=config) for step in range(11)]

    # 0.5 (1 + cos(pi i / 8)) for i = 0..8
    expected = [0.5, 1.0, 1.0, 0.961940, 0.853553, 0.691342, 0.5, 0.308658, 0.146447, 0.038060, 0.0]
    assert rates == pytest.approx(expected, abs=1e-6)


def test_the_last_rate_is_a_fraction_of_the_peak() -> None:
    """With final_fraction 0.1 the cosine ends at a tenth and is half way in the middle."""
    config = ScheduleConfig(warmup_fraction=0.0, final_fraction=0.1)

    rates = [learning_rate_at(step, peak=2.0, horizon=4, config=config) for step in (0, 2, 4, 9)]

    assert rates == pytest.approx([2.0, 1.1, 0.2, 0.2])


def test_constant_then_a_linear_cooldown() -> None:
    """Of ten steps two climb, five stay and three fall: 3/3, 2/3, 1/3 of the peak, then nothing."""
    config = ScheduleConfig(kind="constant", warmup_fraction=0.2, cooldown_fraction=0.3)

    rates = [learning_rate_at(step, peak=3.0, horizon=10, config=config) for step in range(12)]

    expected = [1.5, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0, 2.0, 1.0, 0.0, 0.0]
    assert rates == pytest.approx(expected, abs=1e-12)


def test_a_square_root_cooldown_falls_faster_at_first() -> None:
    """1 - sqrt(i / 4) for i = 0..4 is 1, 0.5, 0.292893, 0.133975, 0."""
    config = ScheduleConfig(
        kind="constant", warmup_fraction=0.0, cooldown_fraction=0.5, cooldown_shape="sqrt"
    )

    rates = [learning_rate_at(step, peak=1.0, horizon=8, config=config) for step in range(4, 9)]

    assert rates == pytest.approx([1.0, 0.5, 0.292893, 0.133975, 0.0], abs=1e-6)


def test_a_cooldown_ends_at_the_final_fraction() -> None:
    """From 1 to 0.2 in four steps: 0.2 less each."""
    config = ScheduleConfig(
        kind="constant", warmup_fraction=0.0, cooldown_fraction=0.5, final_fraction=0.2
    )

    rates = [learning_rate_at(step, peak=1.0, horizon=8, config=config) for step in range(4, 9)]

    assert rates == pytest.approx([1.0, 0.8, 0.6, 0.4, 0.2])


def test_without_cooldown_the_rate_stays() -> None:
    """A cooldown of no steps leaves the constant to the end."""
    config = ScheduleConfig(kind="constant", warmup_fraction=0.0, cooldown_fraction=0.0)

    rates = [learning_rate_at(step, peak=1.0, horizon=8, config=config) for step in range(8)]

    assert rates == [1.0] * 8


def test_the_inverse_square_root_is_that_of_the_transformer() -> None:
    """With peak (d w)^-0.5 it is d^-0.5 min(s^-0.5, s w^-1.5), s counted from 1 (equation 3)."""
    width, warmup = 512, 4000
    config = ScheduleConfig(kind="inverse_sqrt", warmup_steps=warmup)
    peak = (width * warmup) ** -0.5

    for number in (1, 2, 3999, 4000, 4001, 16_000, 100_000):
        paper = width**-0.5 * min(number**-0.5, number * warmup**-1.5)
        ours = learning_rate_at(number - 1, peak=peak, horizon=100_000, config=config)
        assert ours == pytest.approx(paper, rel=1e-12)
    assert peak == pytest.approx(6.98771e-4, rel=1e-5)


def test_four_times_the_warm_up_halves_the_inverse_square_root() -> None:
    """sqrt(w / 4w) = 1/2; without warm-up the first step has the peak."""
    config = ScheduleConfig(kind="inverse_sqrt", warmup_steps=5)

    rates = [learning_rate_at(step, peak=2.0, horizon=20, config=config) for step in (0, 4, 19)]

    assert rates == pytest.approx([0.4, 2.0, 1.0])
    bare = ScheduleConfig(kind="inverse_sqrt", warmup_fraction=0.0)
    assert learning_rate_at(0, peak=2.0, horizon=20, config=bare) == 2.0
    assert learning_rate_at(3, peak=2.0, horizon=20, config=bare) == 1.0


def sgd(rate: float) -> torch.optim.SGD:
    """Return an optimiser whose rate a peer's scheduler may set."""
    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=rate)


def test_warm_up_cosine_and_cooldown_are_those_of_open_clip() -> None:
    """The same rates as open_clip's trainer at every step of a run of 40."""
    peers = {
        ScheduleConfig(warmup_steps=7): cosine_lr(sgd(1.0), 3.0, 7, 40),
        ScheduleConfig(kind="constant", warmup_steps=7, cooldown_fraction=0.0): const_lr(
            sgd(1.0), 3.0, 7, 40
        ),
        ScheduleConfig(
            kind="constant", warmup_steps=7, cooldown_fraction=0.25, final_fraction=0.1
        ): const_lr_cooldown(sgd(1.0), 3.0, 7, 40, 10, 1.0, 0.3),
    }
    for config, peer in peers.items():
        ours = [learning_rate_at(step, peak=3.0, horizon=40, config=config) for step in range(40)]
        assert ours == pytest.approx([peer(step) for step in range(40)], rel=1e-12)


def test_warm_up_and_cosine_are_those_of_torch() -> None:
    """LinearLR from 1/5 and CosineAnnealingLR to a tenth, one after the other."""
    config = ScheduleConfig(warmup_steps=5, final_fraction=0.1)
    optimiser = sgd(2.0)
    climb = torch.optim.lr_scheduler.LinearLR(optimiser, start_factor=0.2, total_iters=4)
    fall = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=15, eta_min=0.2)

    theirs = []
    for step in range(20):
        theirs.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        # The step after the warm-up still has the peak, with us and with open_clip.
        if step != 4:
            (climb if step < 4 else fall).step()

    ours = [learning_rate_at(step, peak=2.0, horizon=20, config=config) for step in range(20)]
    assert ours == pytest.approx(theirs, rel=1e-9)


@pytest.mark.slow
def test_inverse_square_root_and_cooldown_are_those_of_transformers() -> None:
    """Transformers counts steps from 0 and starts at rate 0: its step n + 1 is our step n."""
    from transformers.optimization import get_inverse_sqrt_schedule, get_wsd_schedule

    optimiser = sgd(2.0)
    decay = get_inverse_sqrt_schedule(optimiser, num_warmup_steps=6)
    theirs = [decay.lr_lambdas[0](step + 1) * 2.0 for step in range(50)]
    config = ScheduleConfig(kind="inverse_sqrt", warmup_steps=6)
    ours = [learning_rate_at(step, peak=2.0, horizon=50, config=config) for step in range(50)]
    assert ours == pytest.approx(theirs, rel=1e-12)

    stable = get_wsd_schedule(
        optimiser, 0, num_decay_steps=20, num_training_steps=50, decay_type="1-sqrt"
    )
    theirs = [stable.lr_lambdas[0](step) * 2.0 for step in range(50)]
    config = ScheduleConfig(
        kind="constant", warmup_fraction=0.0, cooldown_fraction=0.4, cooldown_shape="sqrt"
    )
    ours = [learning_rate_at(step, peak=2.0, horizon=50, config=config) for step in range(50)]
    assert ours == pytest.approx(theirs, rel=1e-12)


def test_warm_up_steps_take_the_place_of_the_fraction() -> None:
    """Four steps climb, whatever the fraction says."""
    config = ScheduleConfig(warmup_fraction=0.5, warmup_steps=4)

    rates = [learning_rate_at(step, peak=1.0, horizon=100, config=config) for step in range(5)]

    assert rates == [0.25, 0.5, 0.75, 1.0, 1.0]


@pytest.mark.parametrize("kind", ["cosine", "constant", "inverse_sqrt"])
def test_no_rate_is_above_the_peak_or_below_nothing(kind: ScheduleKind) -> None:
    """Whatever the kind and the warm-up, for every step and past the end."""
    for warmup in (0, 1, 17):
        config = ScheduleConfig(kind=kind, warmup_fraction=0.0, warmup_steps=warmup)
        rates = [learning_rate_at(step, peak=1.0, horizon=60, config=config) for step in range(70)]
        assert max(rates) == 1.0
        assert min(rates) >= 0.0
        assert all(map(math.isfinite, rates))


def test_a_warm_up_longer_than_the_run_is_refused() -> None:
    """The message names both lengths, before anything is trained."""
    with pytest.raises(ConfigError, match=r"warmup_steps = 30 .* run of 20 steps"):
        total_steps(ScheduleConfig(epochs=4, warmup_steps=30), steps_per_epoch=5)
    with pytest.raises(ConfigError, match="cooldown of 10 steps do not fit"):
        total_steps(
            ScheduleConfig(kind="constant", epochs=4, warmup_steps=11, cooldown_fraction=0.5),
            steps_per_epoch=5,
        )


def test_plans_that_contradict_themselves_are_refused() -> None:
    """An end of a schedule without one, and parts that are more than the whole."""
    with pytest.raises(ConfigError, match=r"final_fraction = 0.1 has no meaning"):
        ScheduleConfig(kind="inverse_sqrt", final_fraction=0.1)
    with pytest.raises(ConfigError, match="more than the whole run"):
        ScheduleConfig(kind="constant", warmup_fraction=0.5, cooldown_fraction=0.6)


def test_a_run_of_one_step_uses_the_peak() -> None:
    """The warm-up of one step is the peak itself."""
    assert learning_rate_at(0, peak=3.0, horizon=1, config=ScheduleConfig()) == 3.0


def test_max_steps_shortens_but_never_lengthens() -> None:
    """The horizon is the smaller of the two limits."""
    assert total_steps(ScheduleConfig(epochs=4), steps_per_epoch=5) == 20
    assert total_steps(ScheduleConfig(epochs=4, max_steps=7), steps_per_epoch=5) == 7
    assert total_steps(ScheduleConfig(epochs=4, max_steps=70), steps_per_epoch=5) == 20


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 0),
        ("max_steps", -1),
        ("warmup_fraction", 1.0),
        ("warmup_steps", -1),
        ("final_fraction", 1.5),
        ("cooldown_fraction", 1.1),
    ],
)
def test_values_outside_their_range_are_refused(name: str, value: float) -> None:
    """The message names the setting and the value."""
    with pytest.raises(ConfigError, match=f"schedule.{name} = {value:g}"):
        ScheduleConfig(**{name: value})  # type: ignore[arg-type]  # one value for several fields


def test_sizes_of_pictures_are_checked() -> None:
    """A side of no pixels is refused."""
    assert ScheduleConfig(image_sizes=(64, 112)).image_sizes == (64, 112)
    with pytest.raises(ConfigError, match=r"schedule.image_sizes = 0"):
        ScheduleConfig(image_sizes=(0, 64))
