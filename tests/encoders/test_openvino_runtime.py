"""Rules of encoders.openvino_runtime and of the frame that both runtimes share."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from core.errors import EncoderError
from core.types import PixelArray
from encoders.folder import ModelFolder, write_model_folder
from encoders.openvino_runtime import OpenVINOEncoder
from encoders.tower_plan import IMAGES_PER_RUN, TEXTS_PER_RUN, untuned_plan
from encoders.two_towers import unit_rows

ROOT = Path(__file__).parent.parent.parent
WORDS = ["a", "photo", "of", "the", "red", "cat", "dogs", "!", "street", "1234", "caf\u00e9"]


@pytest.fixture(scope="module")
def encoder(tiny_model: ModelFolder) -> Iterator[OpenVINOEncoder]:
    """Load the tiny model once."""
    encoder = OpenVINOEncoder(tiny_model)
    yield encoder
    encoder.close()


def pixels(count: int, *, seed: int = 0) -> PixelArray:
    """Return random pictures of the size of the tiny model."""
    random = np.random.default_rng(seed)
    return random.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)


def test_embeddings_are_unit_float32(encoder: OpenVINOEncoder) -> None:
    """Rows of length 1, of the dimension in the spec."""
    for embeddings_ND in (encoder.encode_images(pixels(3)), encoder.encode_texts(["a", "b", "c"])):
        assert embeddings_ND.shape == (3, 16)
        assert embeddings_ND.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(embeddings_ND, axis=1), 1.0, atol=1e-6)


def test_the_encoder_says_what_the_folder_says(
    encoder: OpenVINOEncoder, tiny_model: ModelFolder
) -> None:
    """Name, id, dimension, preprocessing and temperature come from the spec."""
    assert encoder.encoder_id == tiny_model.encoder_id
    assert (encoder.name, encoder.dim, encoder.logit_bias) == ("tiny", 16, 0.0)
    assert encoder.preprocessing == tiny_model.spec.preprocessing
    assert encoder.logit_scale == pytest.approx(1 / 0.07)


def test_a_large_batch_equals_its_items(encoder: OpenVINOEncoder) -> None:
    """Cutting a batch into chunks keeps order and values."""
    batch_NSS3 = pixels(IMAGES_PER_RUN + 3)

    together_ND = encoder.encode_images(batch_NSS3)
    single_ND = np.concatenate([encoder.encode_images(item[None]) for item in batch_NSS3])

    np.testing.assert_allclose(together_ND, single_ND, atol=1e-6)


def test_texts_of_mixed_length_equal_their_items(encoder: OpenVINOEncoder) -> None:
    """Sorting by length and trimming change neither order nor values."""
    random = np.random.default_rng(0)
    texts = [
        " ".join(random.choice(WORDS, size=int(random.integers(0, 90))))
        for _ in range(TEXTS_PER_RUN + 9)
    ]

    together_ND = encoder.encode_texts(texts)
    single_ND = np.concatenate([encoder.encode_texts([text]) for text in texts])

    np.testing.assert_allclose(together_ND, single_ND, atol=1e-6)


def test_no_items_give_no_rows(encoder: OpenVINOEncoder) -> None:
    """Empty batches are no special case for a caller."""
    assert encoder.encode_images(pixels(0)).shape == (0, 16)
    assert encoder.encode_texts([]).shape == (0, 16)


def test_tokens_are_counted_before_the_cut(encoder: OpenVINOEncoder) -> None:
    """The truncation can be told to the user."""
    assert encoder.count_tokens(["a cat", "word " * 100]) == [4, 102]


def test_texts_that_are_equal_when_cleaned_have_one_embedding(encoder: OpenVINOEncoder) -> None:
    """What ``clean_text`` makes equal the model cannot tell apart, so a cache may use it as key."""
    texts = ["A  photo of the CAT", "a photo of the cat", "a photo&#32;of the\tcat "]

    assert {encoder.clean_text(text) for text in texts} == {"a photo of the cat"}
    embeddings_ND = [encoder.encode_texts([text]) for text in texts]
    np.testing.assert_array_equal(embeddings_ND[1], embeddings_ND[0])
    np.testing.assert_array_equal(embeddings_ND[2], embeddings_ND[0])


def test_tokens_may_be_counted_while_the_model_runs(encoder: OpenVINOEncoder) -> None:
    """Counting in four threads beside a model call gives what counting alone gives."""
    texts = [" ".join(WORDS[: 1 + n % len(WORDS)]) for n in range(200)]
    expected = encoder.count_tokens(texts)
    with ThreadPoolExecutor(4) as threads:
        counting = [threads.submit(encoder.count_tokens, texts) for _ in range(20)]
        for _ in range(5):
            encoder.encode_texts(texts)

        assert all(future.result(60) == expected for future in counting)


@pytest.mark.parametrize("shape", [(2, 33, 32, 3), (32, 32, 3), (1, 32, 32, 4)])
def test_pixels_of_another_shape_are_refused(
    encoder: OpenVINOEncoder, shape: tuple[int, ...]
) -> None:
    """The message says what the model takes."""
    with pytest.raises(EncoderError, match=r"the model takes \(N, 32, 32, 3\)"):
        encoder.encode_images(np.zeros(shape, np.uint8))


def test_pixels_of_another_type_are_refused(encoder: OpenVINOEncoder) -> None:
    """Floats in [0, 1] would be embedded as black."""
    with pytest.raises(EncoderError, match="pixels are float32, expected uint8"):
        encoder.encode_images(np.zeros((1, 32, 32, 3), np.float32))


def test_bfloat16_is_close_to_float32(tiny_model: ModelFolder, encoder: OpenVINOEncoder) -> None:
    """Cosine of at least 0.999 where the CPU has it, an error with the remedy elsewhere."""
    try:
        short = OpenVINOEncoder(
            tiny_model, plan=untuned_plan("bfloat16", text="bfloat16", threads=1)
        )
    except EncoderError as error:
        assert "use float32" in str(error)  # noqa: PT017 - either outcome is right
        return
    cosines_N = (short.encode_images(pixels(8)) * encoder.encode_images(pixels(8))).sum(axis=1)

    assert cosines_N.min() > 0.999


def test_a_closed_encoder_is_an_error(tiny_model: ModelFolder) -> None:
    """Use after close is named, not a crash."""
    encoder = OpenVINOEncoder(tiny_model)
    encoder.close()

    with pytest.raises(EncoderError, match="is closed"):
        encoder.encode_texts(["a"])


def test_compiled_towers_are_kept_where_asked(tiny_model: ModelFolder, tmp_path: Path) -> None:
    """The second start reads them."""
    OpenVINOEncoder(tiny_model, cache_folder=tmp_path / "cache").close()

    assert list((tmp_path / "cache").glob("*.blob"))


def test_a_folder_without_onnx_is_refused(tiny_model: ModelFolder, tmp_path: Path) -> None:
    """The message says how to get the files."""
    names = set(tiny_model.manifest.files) - {"image.onnx", "text.onnx", "model.json"}
    files: dict[str, Path | bytes] = {name: tiny_model.path / name for name in names}
    folder = write_model_folder(tmp_path / "m", tiny_model.spec, files)

    with pytest.raises(EncoderError, match=r"has no image\.onnx.*sightline models export"):
        OpenVINOEncoder(folder)


def test_an_onnx_file_that_is_none_is_refused(tiny_model: ModelFolder, tmp_path: Path) -> None:
    """Whatever OpenVINO says, the message names the file."""
    files: dict[str, Path | bytes] = {
        "tokenizer.json": tiny_model.path / "tokenizer.json",
        "image.onnx": b"not a graph",
        "text.onnx": b"not a graph",
    }
    folder = write_model_folder(tmp_path / "m", tiny_model.spec, files)

    with pytest.raises(EncoderError, match=r"image\.onnx does not compile"):
        OpenVINOEncoder(folder)


@pytest.mark.parametrize("bad", [0.0, np.nan, np.inf])
def test_rows_without_direction_are_an_error(bad: float) -> None:
    """Zero and what is not finite never leave an encoder; the message names the item."""
    with pytest.raises(EncoderError, match="for item 1"):
        unit_rows(np.array([[3.0, 4.0], [bad, bad]], np.float32))


def test_rows_are_divided_by_their_length() -> None:
    """(3, 4) becomes (0.6, 0.8)."""
    np.testing.assert_allclose(unit_rows(np.array([[3, 4]], np.float32)), [[0.6, 0.8]])


def test_openvino_reports_nothing_to_its_maker(tiny_model_path: Path, tmp_path: Path) -> None:
    """Loading and running a model imports no telemetry, no torch, and leaves no file at home."""
    script = (
        "import sys\nfrom pathlib import Path\n"
        "from encoders.loading import load_encoder\n"
        f"load_encoder(Path({str(tiny_model_path)!r})).encode_texts(['a'])\n"
        "found = {name.split('.')[0] for name in sys.modules}\n"
        "print(sorted(found & {'openvino_telemetry', 'torch', 'open_clip', 'transformers'}))"
    )

    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={**os.environ, "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.strip() == "[]"
    assert done.stderr == ""
    assert list(tmp_path.iterdir()) == []
