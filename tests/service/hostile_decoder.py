"""A decoder with the bugs of C libraries: what it does is written into the picture.

It runs in the child processes of the tests of ``service.decoder_processes``.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable

from PIL import Image

from encoders.decoding import DEFAULT_LIMITS, DecodeLimits, decode_image

MARK = b"hostile:"


def decode(
    data: bytes, limits: DecodeLimits = DEFAULT_LIMITS, *, min_side: int | None = None
) -> Image.Image:
    """Decode, or do what stands behind the mark in the bytes."""
    _, found, order = data.partition(MARK)
    if found:
        _obey(order.decode())
    return decode_image(data, limits, min_side=min_side)


def hostile_picture(picture: bytes, order: str) -> bytes:
    """Return a good picture whose decoder obeys ``order``."""
    return picture + MARK + order.encode()


def _obey(order: str) -> None:
    orders: dict[str, Callable[[], object]] = {
        "segv": lambda: os.kill(os.getpid(), signal.SIGSEGV),
        "killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
        "exit": lambda: os._exit(3),
        "hang": lambda: time.sleep(3600),
        "spin": _spin,
        "hog": lambda: [bytes(2**24) for _ in range(1000)],
        "open": lambda: os.open("/etc/hostname", os.O_RDONLY),
        "connect": socket.socket,
        # The socket to the parent is the only open file beside the three standard ones.
        "nonsense": lambda: os.write(max(_open_files()), b"\x07" * 4096),
    }
    orders[order]()


def _spin() -> None:
    while True:
        pass


def _open_files() -> list[int]:
    found = []
    # It has the number that it had in the parent, which may have many files open.
    for number in range(2**16):
        try:
            os.fstat(number)
        except OSError:
            continue
        found.append(number)
    return found
