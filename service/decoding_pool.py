"""A bounded pool that decodes uploads, each on its own: a bad one is a value, not a failure."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from core.errors import ImageError, SightlineError
from service.request_scope import CURRENT_SCOPE, RequestScope

InputT = TypeVar("InputT")
OutputT = TypeVar("OutputT")


class DecodingPool:
    """Decodes images in threads; the number of threads bounds the memory that it takes."""

    def __init__(self, *, threads: int = 0, observe: Callable[[str, float], None]) -> None:
        """Use ``threads`` threads (0: one a core) and tell ``observe`` the time of each image."""
        self._observe = observe
        self._pool = ThreadPoolExecutor(threads or os.cpu_count() or 1, thread_name_prefix="decode")

    def map(
        self, decode: Callable[[InputT], OutputT], images: Sequence[InputT]
    ) -> list[OutputT | SightlineError]:
        """Return what ``decode`` makes of each image, or the error of that image."""
        scope = CURRENT_SCOPE.get()
        futures = [self._pool.submit(self._decode_one, decode, image, scope) for image in images]
        return [future.result() for future in futures]

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
        except SightlineError as error:
            return error
        except Exception as error:  # noqa: BLE001 - a decoder's defect is the picture's error
            failure = ImageError(f"the picture could not be decoded: {error}")
            failure.__cause__ = error
            return failure
        finally:
            self._observe("decode", time.monotonic() - started)
