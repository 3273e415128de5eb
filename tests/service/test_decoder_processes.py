"""Decoding in child processes: the same pictures, and crashes that cost one image each."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.errors import ImageError, NotReadyError, UndecodableImageError
from encoders.decoding import KNOWN_FORMATS, DecodeLimits, decode_image
from service import decoding_pool
from service.decoder_processes import CRASHED, ChildOptions, DecoderProcesses
from tests.fakes import picture_bytes
from tests.service.hostile_decoder import hostile_picture
from tests.service.observing import wait_until_ready
from tests.service.running import COLOURS, add_colours, error_of, running

LIMITS = DecodeLimits(formats=KNOWN_FORMATS, max_pixels=1_000_000)
HOSTILE = "tests.service.hostile_decoder:decode"
MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "I", "F", "I;16")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def processes() -> Iterator[DecoderProcesses]:
    """Return two children that decode, or obey what a picture says."""
    options = ChildOptions(LIMITS, timeout_s=60, memory_bytes=2**30, decoder=HOSTILE)
    pool = DecoderProcesses(2, options)
    yield pool
    pool.close()


def in_format(image: Image.Image, format: str, **options: object) -> bytes:
    """Return the bytes of a picture."""
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def pixels(image: Image.Image) -> tuple[str, tuple[int, int], bytes]:
    """Return what a decoded picture is, without what its file said beside it."""
    return image.mode, image.size, image.tobytes()


def noise() -> Image.Image:
    """Return a picture that does not compress."""
    pixels = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


@pytest.mark.parametrize("format", KNOWN_FORMATS)
@pytest.mark.parametrize("min_side", [None, 20])
def test_a_child_decodes_every_format_as_this_process_does(
    processes: DecoderProcesses, format: str, min_side: int | None
) -> None:
    """All plugins were loaded before files became out of reach; pixels are equal to the bit."""
    data = in_format(noise(), format)

    there = processes(data, LIMITS, min_side=min_side)
    assert pixels(there) == pixels(decode_image(data, LIMITS, min_side=min_side))


@pytest.mark.parametrize("mode", MODES)
def test_a_child_decodes_every_mode_as_this_process_does(
    processes: DecoderProcesses, mode: str
) -> None:
    """Palettes, wide grey, alpha and print colours take the same way to RGB."""
    if mode == "I;16":
        image = Image.fromarray(np.arange(4800, dtype=np.uint16).reshape(60, 80) * 13)
    else:
        image = noise().convert("L").convert(mode) if mode in "FI" else _as_mode(noise(), mode)
    data = in_format(image, "TIFF")

    assert pixels(processes(data, LIMITS)) == pixels(decode_image(data, LIMITS))


def test_orientation_and_animation_work_in_a_child(processes: DecoderProcesses) -> None:
    """What Pillow imports late is there: EXIF and frames."""
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = in_format(noise(), "JPEG", exif=exif)
    moving = in_format(noise(), "WEBP", save_all=True, append_images=[noise().rotate(90)])

    assert processes(turned, LIMITS).size == (60, 80)
    assert pixels(processes(moving, LIMITS)) == pixels(decode_image(moving, LIMITS))


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "image_empty"),
        (b"hello", "image_unsupported"),
        (picture_bytes(format="JPEG")[:-90], "image_truncated"),
        (picture_bytes(size=(1001, 1000)), "image_too_many_pixels"),
    ],
)
def test_the_errors_of_a_child_are_those_of_this_process(
    processes: DecoderProcesses, data: bytes, code: str
) -> None:
    """Class, code and message come through."""
    with pytest.raises(ImageError) as here:
        decode_image(data, LIMITS)
    with pytest.raises(type(here.value)) as there:
        processes(data, LIMITS)

    assert there.value.code == here.value.code == code
    assert str(there.value) == str(here.value)


@pytest.mark.parametrize(
    ("order", "said"),
    [
        ("segv", "SIGSEGV"),
        ("killed", "SIGKILL"),
        ("exit", "exit code 3"),
        ("nonsense", "no answer of ours: stopped"),
    ],
)
def test_a_child_that_dies_costs_one_image(
    processes: DecoderProcesses, order: str, said: str
) -> None:
    """The image is undecodable, the child is replaced, the next image is decoded."""
    before = processes.replaced
    with pytest.raises(UndecodableImageError, match=said) as caught:
        processes(hostile_picture(picture_bytes(), order), LIMITS)

    assert caught.value.code == CRASHED
    assert processes.replaced == before + 1
    assert [processes(picture_bytes(), LIMITS).size for _ in range(3)] == [(32, 24)] * 3


@pytest.mark.parametrize("order", ["hog", "open", "connect"])
def test_a_child_has_no_more_memory_and_no_files(processes: DecoderProcesses, order: str) -> None:
    """Gigabytes, files and sockets are refused by the system; the image is an image error."""
    with pytest.raises(ImageError):
        processes(hostile_picture(picture_bytes(), order), LIMITS)

    assert processes(picture_bytes(), LIMITS).size == (32, 24)


@pytest.mark.parametrize("order", ["hang", "spin"])
def test_a_child_that_does_not_come_back_is_killed(order: str) -> None:
    """Its image is refused after the time limit; the place is filled again."""
    pool = DecoderProcesses(1, ChildOptions(LIMITS, timeout_s=1, decoder=HOSTILE))
    try:
        with pytest.raises(UndecodableImageError) as caught:
            pool(hostile_picture(picture_bytes(), order), LIMITS)
        assert caught.value.code == CRASHED
        assert pool.replaced == 1
    finally:
        pool.close()


def test_crashes_harm_no_neighbour(processes: DecoderProcesses) -> None:
    """Eight threads, one image in five kills its child: all others are decoded right."""

    def ask(number: int) -> bool:
        picture = picture_bytes((number, 100, 200))
        if number % 5 == 0:
            with pytest.raises(UndecodableImageError):
                processes(hostile_picture(picture, "segv"), LIMITS)
            return True
        return processes(picture, LIMITS).getpixel((0, 0)) == (number, 100, 200)

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(ask, range(40)))


def open_files() -> set[str]:
    """Return what is open in this process: files by their path, sockets and pipes by number."""
    found = set()
    for descriptor in Path("/proc/self/fd").iterdir():
        # The listing itself is open while it is read.
        with contextlib.suppress(FileNotFoundError):
            found.add(str(descriptor.readlink()))
    return found - {f"/proc/{os.getpid()}/fd"}


def test_nothing_is_left_of_a_closed_pool() -> None:
    """No process, no socket; closing twice is fine."""
    before = open_files()
    pool = DecoderProcesses(2, ChildOptions(LIMITS))
    pool.close()
    pool.close()

    # Servers of other tests may close idle connections in the meantime, so what is gone is fine.
    assert open_files() - before == set()


def test_a_child_that_cannot_start_is_said_at_once() -> None:
    """The engine does not open with a decoder that is not there."""
    with pytest.raises(NotReadyError, match="did not start"):
        DecoderProcesses(1, ChildOptions(LIMITS, decoder="no.such.module:decode"))


def test_a_service_survives_its_decoders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over HTTP a crash is one 422; neighbours in the same request and others are answered."""
    original = decoding_pool.ChildOptions

    def hostile(**options: object) -> ChildOptions:
        return original(**options, decoder=HOSTILE)  # type: ignore[arg-type]

    monkeypatch.setattr(decoding_pool, "ChildOptions", hostile)
    with running(tmp_path, decode="process", decode_threads=2, decode_timeout_s=60.0) as client:
        add_colours(client)
        crash = hostile_picture(picture_bytes("red"), "segv")
        alone = client.post("/v1/search", files={"image": crash})
        files = [("image", picture_bytes("green")), ("image", crash), ("image", picture_bytes())]
        mixed = client.post("/v1/classify", files=files, data={"labels": list(COLOURS)})
        added = client.post("/v1/items", files=[("image", crash), ("image", picture_bytes("blue"))])
        found = client.post("/v1/search", files={"image": picture_bytes("blue")})
        thumbnail = client.get("/v1/items/red/thumbnail")
        wait_until_ready(client)

    assert error_of(alone, 422)["code"] == CRASHED
    outcomes = [entry["status"] for entry in mixed.json()["results"]]
    assert outcomes == ["ok", "error", "ok"]
    assert mixed.json()["results"][1]["error"]["code"] == CRASHED
    assert added.json()["results"][0]["status"] == "error"
    assert found.json()["hits"][0]["id"] == "blue"
    assert thumbnail.status_code == 200


def _as_mode(image: Image.Image, mode: str) -> Image.Image:
    if mode == "PA":
        return image.convert("P").convert("PA")
    return image.convert(mode)
