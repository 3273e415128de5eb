"""Rules of encoders.runtime_tuning: which candidates there are and which one is taken."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from core.errors import ConfigError
from encoders.folder import ModelFolder
from encoders.openvino_runtime import OpenVINOEncoder
from encoders.runtime_tuning import (
    PairedTimer,
    TowerTrial,
    TuningOptions,
    bulk_plans,
    embed_pixels,
    image_trial,
    open_timer,
    single_plans,
    text_trial,
    tune_tower,
)
from encoders.tokenizer import TextTokenizer
from encoders.tower_plan import TowerPlan

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)


class ScriptedTimer(PairedTimer):
    """A timer whose ratios are given; the reference takes 10 ms."""

    def __init__(self, ratios: list[float]) -> None:
        """Answer with the ratios in order."""
        super().__init__(lambda: None, rounds=1)
        self._ratios = iter(ratios)
        self.asked = 0

    def ratio(self, candidate: Callable[[], object]) -> float:
        """Run the candidate once and return the next ratio."""
        candidate()
        self.asked += 1
        return next(self._ratios)

    def to_ms(self, ratio: float) -> float:
        """Return the ratio times 10 ms."""
        return 10.0 * ratio


@pytest.fixture
def trial(tiny_model_path: Path) -> TowerTrial:
    """Return the image tower of the tiny model, tried with four pictures a run."""
    return image_trial(tiny_model_path / "image.onnx", PIXELS, TuningOptions(image_chunks=(4,)))


def ticks(*seconds: float) -> Callable[[], float]:
    """Return a clock that goes on by the given seconds from one look to the next."""
    times: Iterator[float] = iter(np.cumsum([0.0, *seconds]).tolist())
    return lambda: next(times)


def test_a_slow_moment_of_the_machine_falls_on_both() -> None:
    """Rounds of 2 s to 1 s, of 20 to 10, and one disturbed: the median ratio is 0.5."""
    clock = ticks(2, 0, 1, 0, 20, 0, 10, 0, 2, 0, 30)
    timer = PairedTimer(lambda: None, rounds=3, clock=clock)

    ratio = timer.ratio(lambda: None)

    assert ratio == 0.5
    assert timer.to_ms(ratio) == 1000.0  # the reference took 2, 20 and 2 s


def test_single_items_are_tried_on_one_core_half_and_all() -> None:
    """Small towers are quickest on one core: there is nobody to wait for."""
    found = single_plans("bfloat16", cores=8, fixed=True)

    assert [plan.threads for plan in found] == [1, 4, 8]
    assert {(plan.chunk, plan.streams, plan.precision) for plan in found} == {(1, 1, "bfloat16")}


@pytest.mark.parametrize(
    ("cores", "streams"), [(1, [1]), (2, [1, 2]), (8, [1, 2, 4, 8]), (12, [1, 3, 6, 12])]
)
def test_many_items_are_tried_from_one_stream_to_one_a_core(cores: int, streams: list[int]) -> None:
    """All of them use all cores."""
    found = bulk_plans("int8", cores=cores, chunks=(4, 16), fixed=True)

    assert [plan.streams for plan in found[::2]] == streams
    assert {plan.threads for plan in found} == {cores}
    assert {plan.chunk for plan in found} == {4, 16}


def test_the_quickest_of_each_kind_is_taken(trial: TowerTrial) -> None:
    """Ratios by hand: one thread 0.5, two 0.4; one stream 2 a wave of 4, two 2.4 a wave of 8."""
    timer = ScriptedTimer([0.5, 0.4, 2.0, 2.4, 3.0])

    single, bulk = tune_tower(trial, "float32", timer, cores=2)

    assert (single.threads, single.run_ms) == (2, 4.0)
    # Two waves are timed at once, so a run takes half: 12 ms, for eight pictures.
    assert (bulk.streams, bulk.pinned, bulk.run_ms) == (2, True, 12.0)
    assert timer.asked == 5


def test_threads_that_keep_to_no_core_are_tried_for_the_best(trial: TowerTrial) -> None:
    """The last ratio is that of the same streams, free to move."""
    timer = ScriptedTimer([0.5, 0.4, 2.0, 2.4, 2.2])

    assert tune_tower(trial, "float32", timer, cores=2)[1].pinned is False


def test_a_second_tower_has_to_be_worth_it(trial: TowerTrial) -> None:
    """4 ms for one picture is 250 a second; 258 in bulk save too little for the memory."""
    timer = ScriptedTimer([0.5, 0.4, 4.0, 6.2, 6.3])

    single, bulk = tune_tower(trial, "float32", timer, cores=2)

    assert bulk is single


def test_real_towers_are_timed(trial: TowerTrial, tiny_model: ModelFolder) -> None:
    """Each plan has a time, and the text tower is tried with texts of like length together."""
    options = TuningOptions(rounds=1, text_chunks=(2,))
    tokenizer = TextTokenizer(
        (tiny_model.path / "tokenizer.json").read_bytes(), tiny_model.spec.text
    )
    texts = text_trial(
        tiny_model.path / "text.onnx", tokenizer, ["a", "a b c d e f", "a b c"], options
    )

    plans = [
        *tune_tower(trial, "float32", open_timer(trial, options), cores=1),
        *tune_tower(texts, "float32", open_timer(texts, options), cores=1),
    ]

    assert all(plan.run_ms > 0 for plan in plans)
    assert [len(run["input_ids"][0]) for run in texts.make_inputs([2, 1])] == [5, 8]
    assert len(texts.make_inputs([1])[0]["input_ids"][0]) == 5  # the middle one


def test_pictures_are_embedded_as_the_encoder_does(tiny_model: ModelFolder) -> None:
    """By a path and a plan, for towers that are in no folder yet."""
    plan = TowerPlan(chunk=2, fixed=True, streams=2)

    found_ND = embed_pixels(tiny_model.path / "image.onnx", plan, PIXELS)

    np.testing.assert_allclose(
        found_ND, OpenVINOEncoder(tiny_model).encode_images(PIXELS), atol=1e-6
    )


@pytest.mark.parametrize("fields", [{"rounds": 0}, {"image_chunks": ()}, {"text_chunks": ()}])
def test_measuring_nothing_is_refused(fields: dict[str, object]) -> None:
    """There would be nothing to choose from."""
    with pytest.raises(ConfigError, match="at least one"):
        TuningOptions(**fields)  # type: ignore[arg-type]  # one field at a time
