"""Rules of evaluation.runtime_tuning: which of the measured plans are taken."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.errors import EncoderError, UsageError
from encoders.folder import ModelFolder, open_model_folder
from encoders.loading import STARTER_MODEL
from encoders.tower_plan import Precision, RuntimePlan, TowerPlan
from evaluation.runtime_tuning import quickest, tune
from evaluation.tuning_data import TuningData

DATA = TuningData("here", np.zeros((2, 224, 224, 3), np.uint8), ("a", "b"), (0, 1), {})


def plan(
    precision: Precision, image: float, images: float, text: float, texts: float
) -> RuntimePlan:
    """Return a plan with the given times in ms."""
    return RuntimePlan(
        TowerPlan(precision, 1, run_ms=image),
        TowerPlan(precision, 4, streams=2, run_ms=images),
        TowerPlan(precision, 1, run_ms=text),
        TowerPlan(precision, 16, streams=2, run_ms=texts),
    )


def test_each_use_has_its_own_quickest() -> None:
    """int8 may be the quickest for many pictures and bfloat16 for one."""
    slow = plan("float32", 5.0, 20.0, 1.0, 9.0)
    short = plan("bfloat16", 3.0, 15.0, 2.0, 8.0)
    int8 = plan("int8", 4.0, 10.0, 2.0, 8.5)

    found = quickest([slow, short, int8])

    assert found.image == short.image
    assert found.images == int8.images
    assert found.text == slow.text
    assert found.texts == short.texts


def test_more_items_a_second_count_not_shorter_runs() -> None:
    """Sixteen in 30 ms are more than four in 10."""
    few = RuntimePlan(*[TowerPlan(chunk=4, run_ms=10.0)] * 4)
    many = RuntimePlan(*[TowerPlan(chunk=16, run_ms=30.0)] * 4)

    assert quickest([few, many]).images.chunk == 16


@pytest.fixture(scope="module")
def starter() -> ModelFolder:
    """Open the starter model."""
    return open_model_folder(STARTER_MODEL)


def test_an_unknown_precision_is_refused_before_the_work(
    starter: ModelFolder, tmp_path: Path
) -> None:
    """The message lists the known ones."""
    with pytest.raises(UsageError, match="'int4': expected float32, bfloat16, int8"):
        tune(starter, DATA, tmp_path, precisions=["int4"])  # type: ignore[list-item]  # the mistake


def test_int8_without_nncf_is_refused_before_the_work(
    starter: ModelFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is tuned without it in silence: the message says what to install."""
    monkeypatch.setitem(__import__("sys").modules, "nncf", None)

    with pytest.raises(EncoderError, match=r"pip install -e '\.\[tune\]'"):
        tune(starter, DATA, tmp_path)
