"""A bounded pool that decodes uploads, each on its own: a bad one is a value, not a failure."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import TypeVar

from core.cores import usable_cores
from core.errors import DeadlineError, ImageError, SightlineError
from encoders.decoding import DecodeLimits, ImageDecoder, decode_image
from service.decoder_processes import ChildOptions, DecoderProcesses
from service.request_scope import CURRENT_SCOPE, RequestScope, deadline_message
from service.settings import Settings

InputT = TypeVar("InputT")
OutputT = TypeVar("OutputT")


def open_decoder(settings: Settings, limits: DecodeLimits) -> ImageDecoder:
    """Return what decodes images under these settings: this process, or children of it.

    Raises:
        NotReadyError: a decoder process did not start.
    """
    if settings.decode == "thread":
        return decode_image
    options = ChildOptions(
        limits=limits,
        timeout_s=settings.decode_timeout_s,
        memory_bytes=settings.decode_memory_bytes,
    )
    return DecoderProcesses(_threads(settings.decode_threads), options)


def close_decoder(decode: ImageDecoder) -> None:
    """End the processes of a decoder, if it has any."""
    if isinstance(decode, DecoderProcesses):
        decode.close()


def lost_decoders(decode: ImageDecoder) -> int:
    """Return how many processes of a decoder were lost and replaced."""
    return decode.replaced if isinstance(decode, DecoderProcesses) else 0


class DecodingPool:
    """Decodes images in threads; the number of threads bounds the memory that it takes."""

    def __init__(self, *, threads: int = 0, on_refused: Callable[[str], None]) -> None:
        """Use ``threads`` threads (0: one a core); ``on_refused`` gets the code of each failure."""
        self._on_refused = on_refused
        self._pool = ThreadPoolExecutor(_threads(threads), thread_name_prefix="decode")

    def map(
        self, decode: Callable[[InputT], OutputT], images: Sequence[InputT]
    ) -> list[OutputT | SightlineError]:
        """Return what ``decode`` makes of each image, or the error of that image.

        When the client leaves, those that have not begun are dropped at once.
        """
        scope = CURRENT_SCOPE.get()
        futures = [self._pool.submit(self._decode_one, decode, image, scope) for image in images]
        if scope is None:
            return [future.result() for future in futures]
        forget = scope.when_abandoned(lambda: _cancel(futures))
        try:
            return [_outcome(future, scope) for future in futures]
        finally:
            forget()

    def close(self) -> None:
        """Wait for what runs and end the threads."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _decode_one(
        self, decode: Callable[[InputT], OutputT], image: InputT, scope: RequestScope | None
    ) -> OutputT | SightlineError:
        started = time.monotonic()
        try:
            if scope is not None:
                scope.check()
            return decode(image)
        except ImageError as error:
            self._on_refused(error.code)
            return error
        except SightlineError as error:
            return error
        except Exception as error:  # noqa: BLE001 - a decoder's defect is the picture's error
            failure = ImageError(f"the picture could not be decoded: {error}")
            failure.__cause__ = error
            self._on_refused(failure.code)
            return failure
        finally:
            if scope is not None:
                scope.stage_done("decode", started, time.monotonic() - started)


def _threads(asked: int) -> int:
    return asked or usable_cores()


def _cancel(futures: Sequence[Future[OutputT]]) -> None:
    for future in futures:
        future.cancel()


def _outcome(
    future: Future[OutputT | SightlineError], scope: RequestScope
) -> OutputT | SightlineError:
    try:
        return future.result()
    except CancelledError:
        return DeadlineError(deadline_message(scope.timeout_s))
