"""Rules of encoders.openvino_tower: several runs at once, filled up, in order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.errors import EncoderError
from core.types import FloatArray, PixelArray
from encoders.openvino_runtime import import_openvino
from encoders.openvino_tower import Inputs, OpenVINOTower
from encoders.tower_plan import TowerPlan


def inputs(pictures: PixelArray, *sizes: int) -> list[Inputs]:
    """Cut the pictures into runs."""
    ends = np.cumsum(sizes)
    return [{"pixels": pictures[end - size : end]} for end, size in zip(ends, sizes, strict=True)]


@pytest.fixture(scope="module")
def pixels() -> PixelArray:
    """Return random pictures of the size of the tiny model."""
    return np.random.default_rng(0).integers(0, 256, (11, 32, 32, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def expected(tiny_model_path: Path, pixels: PixelArray) -> FloatArray:
    """Return what the tower gives for one picture at a time."""
    tower = open_tower(tiny_model_path, TowerPlan(chunk=1))
    return np.concatenate(tower.run(inputs(pixels, *[1] * len(pixels))))


def open_tower(model: Path, plan: TowerPlan) -> OpenVINOTower:
    """Compile the image tower of a model folder."""
    return OpenVINOTower(import_openvino(), model / "image.onnx", plan)


@pytest.mark.parametrize(
    "plan",
    [
        TowerPlan(chunk=4, streams=1),
        TowerPlan(chunk=4, streams=2),
        TowerPlan(chunk=4, streams=2, fixed=True, threads=2, pinned=False),
        TowerPlan(chunk=4, streams=3, fixed=True),
    ],
)
def test_every_way_gives_the_same_rows_in_order(
    tiny_model_path: Path, pixels: PixelArray, expected: FloatArray, plan: TowerPlan
) -> None:
    """More runs than streams, the last of three pictures: filled up where the tower is fixed."""
    outputs = open_tower(tiny_model_path, plan).run(inputs(pixels, 4, 4, 3))

    assert [len(output_nD) for output_nD in outputs] == [4, 4, 3]
    np.testing.assert_allclose(np.concatenate(outputs), expected, atol=1e-5)


def test_results_stay_when_the_tower_runs_again(
    tiny_model_path: Path, pixels: PixelArray, expected: FloatArray
) -> None:
    """They are copies: the memory of a run is used for the next one."""
    tower = open_tower(tiny_model_path, TowerPlan(chunk=4))
    first = tower.run(inputs(pixels, 4))[0]
    tower.run(inputs(pixels[4:], 4))

    np.testing.assert_allclose(first, expected[:4], atol=1e-5)


def test_rows_that_do_not_lie_together_are_taken(
    tiny_model_path: Path, pixels: PixelArray, expected: FloatArray
) -> None:
    """Every second picture of a batch is no block of memory."""
    tower = open_tower(tiny_model_path, TowerPlan(chunk=4))

    found_ND = tower.run([{"pixels": pixels[:8:2]}])[0]

    np.testing.assert_allclose(found_ND, expected[:8:2], atol=1e-5)


def test_no_runs_give_no_rows(tiny_model_path: Path) -> None:
    """An empty batch is no special case for a caller."""
    assert open_tower(tiny_model_path, TowerPlan()).run([]) == []


def test_a_bad_run_leaves_the_tower_usable(
    tiny_model_path: Path, pixels: PixelArray, expected: FloatArray
) -> None:
    """The runs beside it are finished before the error is raised."""
    tower = open_tower(tiny_model_path, TowerPlan(chunk=4, streams=2))
    bad = {"pixels": np.zeros((4, 31, 32, 3), np.uint8)}

    with pytest.raises(EncoderError, match="cannot be run on this input"):
        tower.run([*inputs(pixels, 4), bad, *inputs(pixels, 4)])

    found = tower.run(inputs(pixels, 4, 4, 3))
    np.testing.assert_allclose(np.concatenate(found), expected, atol=1e-5)
