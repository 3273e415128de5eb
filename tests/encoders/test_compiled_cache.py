"""Rules of encoders.compiled_cache: whole towers or none, of this machine, within bounds."""

from __future__ import annotations

import dataclasses
import errno
import io
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from core.types import FloatArray
from encoders import compiled_cache
from encoders.compiled_cache import MOST_DAYS, CompiledCache
from encoders.folder import ModelFolder
from encoders.machine import Machine
from encoders.openvino_runtime import OpenVINOEncoder
from encoders.tower_plan import untuned_plan

ROOT = Path(__file__).parent.parent.parent
MACHINE = Machine("a cpu", "x86_64", 2, ("FP32",), "1.0")
PIXELS = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)


@pytest.fixture(autouse=True)
def _any_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the disk of the machine that runs the tests be nearly full."""
    monkeypatch.setattr(compiled_cache, "_SPARE_BYTES", 0)


@pytest.fixture
def cache(tmp_path: Path) -> CompiledCache:
    """Return a cache whose folder does not exist yet."""
    return CompiledCache(tmp_path / "a" / "cache", {"image.onnx": "1", "text.onnx": "2"}, MACHINE)


def exporting(content: bytes) -> Callable[[io.BytesIO], None]:
    """Return what writes this content, as a compiled model does."""

    def export(stream: io.BytesIO) -> None:
        stream.write(content)

    return export


def kept(cache: CompiledCache) -> list[Path]:
    """Return all files of the cache, also hidden ones."""
    return kept_in(cache.folder)


def kept_in(folder: Path) -> list[Path]:
    """Return all files of a folder, also hidden ones."""
    return sorted(folder.iterdir())


def test_what_is_written_is_read(cache: CompiledCache) -> None:
    """The same bytes, in a file for its owner alone."""
    path = cache.path("image.onnx", {})
    cache.write(path, exporting(b"compiled"))
    found_N = cache.read(path)

    assert found_N is not None
    assert found_N.tobytes() == b"compiled"
    assert kept(cache) == [path]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_header_that_is_written_last_is_counted(cache: CompiledCache) -> None:
    """The exporter of OpenVINO goes back to the beginning."""

    def export(stream: io.BytesIO) -> None:
        stream.write(b"....body")
        assert stream.tell() == 8
        stream.seek(0)
        stream.write(b"head")

    path = cache.path("image.onnx", {})
    cache.write(path, export)
    found_N = cache.read(path)

    assert found_N is not None
    assert found_N.tobytes() == b"headbody"


def test_what_is_not_there_is_no_error(
    cache: CompiledCache, caplog: pytest.LogCaptureFixture
) -> None:
    """The first start is like that."""
    assert cache.read(cache.path("image.onnx", {})) is None
    assert caplog.messages == []


@pytest.mark.parametrize("place", [0, 4, 20, -1])
def test_a_flipped_bit_is_noticed(
    cache: CompiledCache, place: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Wherever it is, the file is reported and removed."""
    path = cache.path("image.onnx", {})
    cache.write(path, exporting(b"compiled"))
    damaged = bytearray(path.read_bytes())
    damaged[place] ^= 1
    path.write_bytes(damaged)

    assert cache.read(path) is None
    assert "cannot be used" in caplog.text
    assert not path.exists()


@pytest.mark.parametrize("length", [0, 7, 31, 32, 39])
def test_a_shorter_file_is_noticed(cache: CompiledCache, length: int) -> None:
    """After a power loss a file may have any length."""
    path = cache.path("image.onnx", {})
    cache.write(path, exporting(b"compiled"))
    os.truncate(path, length)

    assert cache.read(path) is None
    assert not path.exists()


def test_the_name_tells_all_that_was_compiled(cache: CompiledCache) -> None:
    """Another tower, other weights, options, machine or release of OpenVINO: another file."""
    weights = dataclasses.replace(cache, digests={**cache.digests, "image.onnx": "3"})
    release = dataclasses.replace(cache, machine=dataclasses.replace(MACHINE, openvino="1.1"))
    machine = dataclasses.replace(cache, machine=dataclasses.replace(MACHINE, cores=4))
    paths = {
        cache.path("image.onnx", {}),
        cache.path("text.onnx", {}),
        cache.path("image.onnx", {"items": 4}),
        *(other.path("image.onnx", {}) for other in (weights, release, machine)),
    }

    assert len(paths) == 6
    assert weights.path("text.onnx", {}) == cache.path("text.onnx", {})


def test_the_weights_beside_a_tower_count(cache: CompiledCache) -> None:
    """An OpenVINO file has its weights in a second one."""
    first, second = (
        dataclasses.replace(cache, digests={"int8.xml": "1", "int8.bin": weights})
        for weights in ("2", "3")
    )

    assert first.path("int8.xml", {}) != second.path("int8.xml", {})


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES])
def test_an_export_that_fails_leaves_nothing(
    cache: CompiledCache, number: int, caplog: pytest.LogCaptureFixture
) -> None:
    """It is said in the log and is no error."""

    def export(stream: io.BytesIO) -> None:
        stream.write(b"half")
        raise OSError(number, "no")

    with caplog.at_level(logging.INFO):
        cache.write(cache.path("image.onnx", {}), export)

    assert "is not kept" in caplog.text
    assert kept(cache) == []


def test_a_folder_that_cannot_be_made_is_no_error(
    cache: CompiledCache, caplog: pytest.LogCaptureFixture
) -> None:
    """Here a file stands where the folder should be."""
    cache.folder.parent.parent.mkdir(exist_ok=True)
    cache.folder.parent.write_text("", "utf-8")
    path = cache.path("image.onnx", {})
    with caplog.at_level(logging.INFO):
        cache.write(path, exporting(b"compiled"))

    assert "is not kept" in caplog.text


def test_a_full_disk_is_left_alone(cache: CompiledCache, caplog: pytest.LogCaptureFixture) -> None:
    """What would not leave room is not even begun."""
    with caplog.at_level(logging.INFO):
        cache.write(cache.path("image.onnx", {}), exporting(b"compiled"), about_bytes=2**62)

    assert caplog.records[0].__dict__["reason"].endswith("too little room is left on the disk")
    assert kept(cache) == []


def test_the_least_recently_used_go_first(
    cache: CompiledCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading counts as use; files of others in the folder stay."""
    first, second, third = (cache.path("image.onnx", {"items": number}) for number in range(3))
    for age_s, path in ((200, first), (100, second)):
        cache.write(path, exporting(b"x" * 68))
        os.utime(path, (time.time() - age_s,) * 2)
    other = cache.folder / "other.blob"
    other.write_bytes(b"x" * 1000)
    cache.read(first)
    # Each file has 68 bytes and a digest of 32: two fit.
    monkeypatch.setattr(compiled_cache, "MOST_BYTES", 200)
    cache.write(third, exporting(b"x" * 68))

    assert set(kept(cache)) == {first, third, other}


def test_what_is_old_goes(cache: CompiledCache) -> None:
    """Towers that nobody used, and what killed processes left; what is being written stays."""
    old = cache.path("image.onnx", {"items": 1})
    cache.write(old, exporting(b"x"))
    os.utime(old, (time.time() - (MOST_DAYS + 1) * 24 * 3600,) * 2)
    dead, live = (cache.folder / f".tower-{name}" for name in ("dead", "live"))
    dead.write_bytes(b"half")
    live.write_bytes(b"half")
    os.utime(dead, (time.time() - 7200,) * 2)
    new = cache.path("image.onnx", {"items": 2})
    cache.write(new, exporting(b"x"))

    assert set(kept(cache)) == {live, new}


@pytest.mark.slow
def test_a_process_killed_while_it_writes_harms_nothing(cache: CompiledCache) -> None:
    """The next one sees no tower, writes its own and reads it."""
    script = (
        "import os, signal, sys\nfrom pathlib import Path\n"
        "from tests.encoders.test_compiled_cache import MACHINE, CompiledCache, compiled_cache\n"
        "compiled_cache._SPARE_BYTES = 0\n"
        "def export(stream):\n"
        "    stream.write(b'x' * 10_000_000)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "cache = CompiledCache(Path(sys.argv[1]), {'image.onnx': '1', 'text.onnx': '2'}, MACHINE)\n"
        "cache.write(cache.path('image.onnx', {}), export)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(cache.folder)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    path = cache.path("image.onnx", {})

    assert done.returncode == -signal.SIGKILL
    assert [name.name[:7] for name in kept(cache)] == [".tower-"]
    assert cache.read(path) is None
    cache.write(path, exporting(b"compiled"))
    found_N = cache.read(path)
    assert found_N is not None
    assert found_N.tobytes() == b"compiled"


def test_an_encoder_from_the_cache_gives_the_same(
    tiny_model: ModelFolder, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Compiled, read from the cache, and compiled again because the cache is damaged."""
    folder = tmp_path / "cache"
    expected_ND = embeddings(tiny_model, None)
    np.testing.assert_allclose(embeddings(tiny_model, folder), expected_ND, atol=1e-5)
    written = {path: path.stat().st_ino for path in folder.iterdir()}
    np.testing.assert_allclose(embeddings(tiny_model, folder), expected_ND, atol=1e-5)

    assert len(written) == 2
    assert {path: path.stat().st_ino for path in folder.iterdir()} == written
    assert caplog.messages == []
    for path in written:
        path.write_bytes(path.read_bytes()[:-40] + bytes(40))
    np.testing.assert_allclose(embeddings(tiny_model, folder), expected_ND, atol=1e-5)
    assert len(caplog.messages) == 2
    assert len(list(folder.iterdir())) == 2


def embeddings(model: ModelFolder, cache_folder: Path | None) -> FloatArray:
    """Return three pictures and a text as a new encoder embeds them."""
    encoder = OpenVINOEncoder(model, plan=untuned_plan(threads=1), cache_folder=cache_folder)
    found_ND = np.concatenate([encoder.encode_images(PIXELS), encoder.encode_texts(["a"])])
    encoder.close()
    return found_ND


@pytest.mark.slow
def test_processes_that_start_at_once_share_a_cache(tiny_model_path: Path, tmp_path: Path) -> None:
    """Three find it empty: each embeds, nothing is reported, and one whole set of files is left."""
    script = (
        "import sys\nfrom pathlib import Path\n"
        "from encoders import compiled_cache\n"
        "from encoders.loading import load_encoder\n"
        "compiled_cache._SPARE_BYTES = 0\n"
        "encoder = load_encoder(Path(sys.argv[1]), threads=1, cache_folder=Path(sys.argv[2]))\n"
        "print(encoder.encode_texts(['a']).shape)\n"
    )
    command = [sys.executable, "-c", script, str(tiny_model_path), str(tmp_path / "cache")]
    processes = [
        subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(3)
    ]
    try:
        said = [process.communicate()[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()

    assert said == ["(1, 16)\n"] * 3
    assert [path.name[:6] for path in kept_in(tmp_path / "cache")] == ["tower-"] * 2


def test_what_openvino_cannot_import_is_compiled_again(
    tiny_model: ModelFolder, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A whole file with a content that it refuses."""
    folder = tmp_path / "cache"
    OpenVINOEncoder(tiny_model, cache_folder=folder).close()
    for path in folder.iterdir():
        CompiledCache(folder, {}, MACHINE).write(path, exporting(b"no model"))
    encoder = OpenVINOEncoder(tiny_model, cache_folder=folder)

    assert encoder.encode_texts(["a"]).shape == (1, 16)
    assert len(caplog.messages) == 2
    assert min(path.stat().st_size for path in folder.iterdir()) > 1000
    encoder.close()
