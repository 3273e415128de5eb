"""Decoding in child processes: one that crashes, hangs or eats memory costs one image its answer.

A C library that reads hostile bytes may overwrite memory. In a child (``service.decoder_child``)
that ends the child; its parent replaces it and answers 422 to that one image.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import queue
import signal
import socket
import subprocess
import sys
import threading
import time

from PIL import Image

from core import errors
from core.errors import ImageError, NotReadyError, UndecodableImageError
from encoders.decoding import DecodeLimits
from service.decoder_child import ANSWER, FAILURE, PIXELS, READY, REQUEST

logger = logging.getLogger(__name__)

CRASHED = "decoder_crashed"
"""Code of an image that ended its decoder."""

_START_S = 60.0
_STOP_S = 5.0
_MOST_ERROR_BYTES = 16_384
_CHANNELS = 3
_KINDS = ("ImageTooLargeError", "UnsupportedImageError", "UndecodableImageError")


@dataclasses.dataclass(frozen=True, slots=True)
class ChildOptions:
    """What a decoder process may use."""

    limits: DecodeLimits
    """What an image may cost, checked in the child."""
    timeout_s: float = 10.0
    """Seconds for one image, of the clock and of the CPU."""
    memory_bytes: int = 2**30
    """Address space of one child."""
    decoder: str = "encoders.decoding:decode_image"
    """The function that decodes, as ``module:name``."""


class _Gone(Exception):  # noqa: N818 - it ends a block, nobody sees it
    """The child has died, is stuck or talks nonsense."""

    def __init__(self, how: str, *, is_dying: bool = False) -> None:
        super().__init__(how)
        self.is_dying = is_dying


class _Child:
    """One process and the socket to it."""

    def __init__(self, options: ChildOptions) -> None:
        ours, theirs = socket.socketpair()
        self._options = options
        self._socket = ours
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                _command(theirs.fileno(), options),
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                # Decoders write what is in the image to it.
                stderr=subprocess.DEVNULL,
                # Nothing of ours is inherited: no keys, no proxies; threads would take memory.
                env={
                    "PYTHONPATH": ":".join(path or "." for path in sys.path),
                    "OMP_NUM_THREADS": "1",
                    "OPENBLAS_NUM_THREADS": "1",
                },
                # Ctrl-C on the terminal drains the service first.
                start_new_session=True,
            )

    def wait_until_ready(self) -> None:
        """Wait for the first message.

        Raises:
            NotReadyError: the process did not start.
        """
        until = time.monotonic() + _START_S
        try:
            status = ANSWER.unpack(self._receive(ANSWER.size, until))[0]
        except _Gone as error:
            raise NotReadyError(f"a decoder process did not start: {self.end(error)}") from error
        assert status == READY

    def decode(self, data: bytes, min_side: int | None) -> Image.Image:
        """Return the picture, or raise the child's error; ``_Gone`` where the child is lost."""
        until = time.monotonic() + self._options.timeout_s
        head = REQUEST.pack(-1 if min_side is None else min_side, len(data))
        self._send(head, until)
        self._send(data, until)
        answer = ANSWER.unpack(self._receive(ANSWER.size, until))
        status, width, height, length = answer
        if status == PIXELS:
            limit = self._options.limits.max_pixels
            if length != width * height * _CHANNELS or not 0 < width * height <= limit:
                raise _Gone(f"it sent {length} bytes for {width} x {height} pixels")
            return Image.frombytes("RGB", (width, height), self._receive(length, until))
        if status == FAILURE and length <= _MOST_ERROR_BYTES:
            raise _error_of(self._receive(length, until))
        raise _Gone("it sent no answer of ours")

    def end(self, gone: _Gone) -> str:
        """End the process and say how it ended."""
        self._socket.close()
        if gone.is_dying:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return f"{gone}: {_how(self._process.wait(_STOP_S))}"
        self._process.kill()
        self._process.wait()
        return f"{gone}: stopped"

    def stop(self) -> None:
        """Let an idle process go; it ends when its socket closes."""
        self._socket.close()
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _send(self, data: bytes, until: float) -> None:
        try:
            self._socket.settimeout(max(0.001, until - time.monotonic()))
            self._socket.sendall(data)
        except OSError as error:
            is_dying = isinstance(error, ConnectionError)
            raise _Gone("it does not listen", is_dying=is_dying) from error

    def _receive(self, size: int, until: float) -> bytes:
        data = bytearray(size)
        view = memoryview(data)
        while view:
            try:
                self._socket.settimeout(max(0.001, until - time.monotonic()))
                count = self._socket.recv_into(view)
            except OSError as error:
                is_dying = isinstance(error, ConnectionError)
                raise _Gone("it does not answer", is_dying=is_dying) from error
            if not count:
                raise _Gone("it hung up", is_dying=True)
            view = view[count:]
        return bytes(data)


class DecoderProcesses:
    """An ``ImageDecoder`` that decodes in children; any thread may call it."""

    def __init__(self, count: int, options: ChildOptions) -> None:
        """Start ``count`` children and wait until they are ready.

        Raises:
            NotReadyError: a child did not start.
        """
        self.replaced = 0
        self._options = options
        self._lock = threading.Lock()
        self._idle: queue.LifoQueue[_Child | None] = queue.LifoQueue()
        self._count = count
        children = [_Child(options) for _ in range(count)]
        try:
            for child in children:
                child.wait_until_ready()
        except NotReadyError:
            for child in children:
                child.stop()
            raise
        for child in children:
            self._idle.put(child)

    def __call__(
        self, data: bytes, limits: DecodeLimits, *, min_side: int | None = None
    ) -> Image.Image:
        """Decode an image as ``encoders.decoding.decode_image`` does, in a child.

        Raises:
            ImageError: what ``decode_image`` raises; ``decoder_crashed`` where the child was lost.
            NotReadyError: a lost child could not be replaced.
        """
        assert limits == self._options.limits, "the children were started with other limits"
        child = self._idle.get()
        try:
            if child is None:
                child = _Child(self._options)
                child.wait_until_ready()
            return child.decode(data, min_side)
        except _Gone as gone:
            assert child is not None
            how, child = child.end(gone), None
            with self._lock:
                self.replaced += 1
            logger.warning("decoder process lost", extra={"reason": how})
            raise UndecodableImageError(
                f"decoding the picture ended its decoder ({how}); save it anew in another program",
                code=CRASHED,
            ) from gone
        except NotReadyError:
            child = None
            raise
        finally:
            # A lost child leaves its place to one that is started when it is needed.
            self._idle.put(child)

    def close(self) -> None:
        """End all children; nobody may be decoding any more. Calling it twice is fine."""
        for _ in range(self._count):
            child = self._idle.get()
            if child is not None:
                child.stop()
        self._count = 0


def _command(descriptor: int, options: ChildOptions) -> list[str]:
    told = {
        "limits": dataclasses.asdict(options.limits),
        "memory_bytes": options.memory_bytes,
        "cpu_s": max(1, round(options.timeout_s)),
        "decoder": options.decoder,
    }
    return [sys.executable, "-m", "service.decoder_child", str(descriptor), json.dumps(told)]


def _how(status: int) -> str:
    if status >= 0:
        return f"exit code {status}"
    with contextlib.suppress(ValueError):
        return signal.Signals(-status).name
    return f"signal {-status}"


def _error_of(payload: bytes) -> ImageError:
    """Return the error that a child describes; it may only be one of the three kinds."""
    try:
        said = json.loads(payload)
        kind, message, code = str(said["kind"]), str(said["message"]), str(said["code"])
    except (ValueError, KeyError, TypeError) as error:
        raise _Gone("it sent an error without a message") from error
    found: type[ImageError] = getattr(errors, kind) if kind in _KINDS else ImageError
    return found(message, code=code)
