"""A process that decodes one image after another and may die of it.

It is started by ``service.decoder_processes`` with a socket to its parent as its only open file,
and once it is ready it can open no other: no file, no connection. What it sends back are pixels
and short texts in a fixed layout, never pickled objects, so that a captured child hurts nobody.

    request     min_side (-1: none), length of the image, image
    answer      status, width, height, length of the payload, payload (pixels, or JSON of an error)
"""

from __future__ import annotations

import importlib
import json
import resource
import socket
import struct
import sys

from PIL import Image

from core.errors import ImageError
from encoders.decoding import DecodeLimits, ImageDecoder

REQUEST = struct.Struct("<iI")
ANSWER = struct.Struct("<BIII")
READY, PIXELS, FAILURE = 0, 1, 2
_DESCRIPTION_CHARS = 500


def main(arguments: list[str]) -> None:
    """Serve the parent until it hangs up; ``arguments`` are the socket and a JSON object."""
    parent = socket.socket(fileno=int(arguments[0]))
    parent.setblocking(True)
    options = json.loads(arguments[1])
    limits = DecodeLimits(**{**options["limits"], "formats": tuple(options["limits"]["formats"])})
    decode = _decoder(options["decoder"])
    _confine(memory_bytes=options["memory_bytes"])
    parent.sendall(ANSWER.pack(READY, 0, 0, 0))
    while head := receive_exactly(parent, REQUEST.size):
        min_side, length = REQUEST.unpack(head)
        data = receive_exactly(parent, length)
        _limit_time(options["cpu_s"])
        _answer(parent, decode, data, limits, None if min_side < 0 else min_side)


def receive_exactly(connection: socket.socket, size: int) -> bytes:
    """Return ``size`` bytes, or none where the other side has hung up."""
    data = bytearray(size)
    view = memoryview(data)
    while view:
        count = connection.recv_into(view)
        if not count:
            return b""
        view = view[count:]
    return bytes(data)


def _decoder(name: str) -> ImageDecoder:
    """Import the function ``module:name`` that decodes."""
    module, _, function = name.partition(":")
    decode: ImageDecoder = getattr(importlib.import_module(module), function)
    return decode


def _confine(*, memory_bytes: int) -> None:
    """Give up what decoding does not need; plugins are loaded before files become out of reach."""
    Image.init()
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))


def _limit_time(seconds: int) -> None:
    """Let the system end this process after so many more seconds of CPU time."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = int(used.ru_utime + used.ru_stime) + 1 + seconds
    resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))


def _answer(
    parent: socket.socket,
    decode: ImageDecoder,
    data: bytes,
    limits: DecodeLimits,
    min_side: int | None,
) -> None:
    try:
        image = decode(data, limits, min_side=min_side)
        pixels = image.tobytes()
    except ImageError as error:
        said = {
            "kind": type(error).__name__,
            "message": str(error)[:_DESCRIPTION_CHARS],
            "code": error.code,
        }
        payload = json.dumps(said).encode()
        parent.sendall(ANSWER.pack(FAILURE, 0, 0, len(payload)) + payload)
        return
    parent.sendall(ANSWER.pack(PIXELS, image.width, image.height, len(pixels)))
    parent.sendall(pixels)


if __name__ == "__main__":
    main(sys.argv[1:])
