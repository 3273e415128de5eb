"""Rules of encoders.quantisation: int8 towers that stay close to float32."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from encoders.folder import ModelFolder
from encoders.openvino_runtime import OpenVINOEncoder, import_openvino
from encoders.quantisation import products_of_activations, quantise_image_tower
from encoders.runtime_tuning import embed_pixels
from encoders.tower_plan import TowerPlan

ROOT = Path(__file__).parent.parent.parent
PIXELS = np.random.default_rng(0).integers(0, 256, (24, 32, 32, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def quantised(tiny_model: ModelFolder, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Quantise the image tower of the tiny model once."""
    return quantise_image_tower(tiny_model, PIXELS, tmp_path_factory.mktemp("int8"))


def test_products_of_activations_are_those_of_attention(tiny_model: ModelFolder) -> None:
    """Two layers, each with queries times keys and weights times values."""
    tower = import_openvino().Core().read_model(str(tiny_model.path / "image.onnx"))

    assert len(products_of_activations(tower)) == 4


@pytest.mark.slow
def test_a_quantised_tower_is_small_and_close(
    quantised: dict[str, Path], tiny_model: ModelFolder
) -> None:
    """A third of the bytes at most, cosine above 0.99 with random weights."""
    plan = TowerPlan("int8", chunk=8)
    found_ND = embed_pixels(quantised["image_int8.xml"], plan, PIXELS)
    exact_ND = OpenVINOEncoder(tiny_model).encode_images(PIXELS)

    assert sorted(quantised) == ["image_int8.bin", "image_int8.xml"]
    weights_bytes = (tiny_model.path / "image.onnx").stat().st_size
    assert quantised["image_int8.bin"].stat().st_size < weights_bytes / 3
    assert float((found_ND * exact_ND).sum(axis=1).min()) > 0.99
    assert not np.array_equal(found_ND, exact_ND)


@pytest.mark.slow
def test_attention_stays_in_float(quantised: dict[str, Path]) -> None:
    """Neither side of its products is rounded; both sides of products with weights are."""
    tower = import_openvino().Core().read_model(str(quantised["image_int8.xml"]))
    kept = set(products_of_activations(tower))
    rounded = {
        operation.get_friendly_name(): [
            operation.input_value(side).get_node().get_type_name() for side in (0, 1)
        ]
        for operation in tower.get_ops()
        if operation.get_type_name() == "MatMul"
    }

    assert len(kept) == 4
    assert all("FakeQuantize" not in rounded[name] for name in kept)
    assert all(rounded[name][0] == "FakeQuantize" for name in rounded.keys() - kept)


@pytest.mark.slow
def test_without_nncf_the_message_says_what_to_install(tiny_model: ModelFolder) -> None:
    """The serving environment has none; and importing it never imports its telemetry."""
    script = (
        "import sys\n"
        "from encoders.quantisation import import_nncf\n"
        "from core.errors import EncoderError\n"
        "import_nncf()\n"
        "print('openvino_telemetry' in sys.modules)\n"
        "for name in [name for name in sys.modules if name.split('.')[0] == 'nncf']:\n"
        "    del sys.modules[name]\n"
        "sys.modules['nncf'] = None\n"
        "try:\n"
        "    import_nncf()\n"
        "except EncoderError as error:\n"
        "    print(error)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )

    first, second = done.stdout.strip().splitlines()
    assert first == "False"
    assert "pip install -e '.[tune]'" in second
