"""A bounded pool that turns uploads into pixels, each on its own: a bad one is a value.

# S = image size
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from core.errors import ImageError, SightlineError
from core.types import PixelArray
from encoders.decoding import DecodeLimits
from encoders.preprocessing import Preprocessing, preprocess_bytes
from service.request_scope import CURRENT_SCOPE, RequestScope


class DecodingPool:
    """Decodes and resizes images in threads; the number of threads bounds the memory."""

    def __init__(
        self,
        *,
        preprocessing: Preprocessing,
        limits: DecodeLimits,
        threads: int = 0,
        observe: Callable[[str, float], None],
    ) -> None:
        """Use ``threads`` threads (0: one a core) and tell ``observe`` the time of each image."""
        self._preprocessing = preprocessing
        self._limits = limits
        self._observe = observe
        self._pool = ThreadPoolExecutor(threads or os.cpu_count() or 1, thread_name_prefix="decode")

    def decode(self, images: Sequence[bytes]) -> list[PixelArray | SightlineError]:
        """Return the uint8 (S, S, 3) pixels of each image, or the error of that image."""
        scope = CURRENT_SCOPE.get()
        futures = [self._pool.submit(self._decode_one, data, scope) for data in images]
        return [future.result() for future in futures]

    def _decode_one(self, data: bytes, scope: RequestScope | None) -> PixelArray | SightlineError:
        started = time.monotonic()
        try:
            if scope is not None:
                scope.check()
            return preprocess_bytes(data, self._preprocessing, self._limits)
        except SightlineError as error:
            return error
        except Exception as error:  # noqa: BLE001 - a decoder's defect is the picture's error
            failure = ImageError(f"the picture could not be decoded: {error}")
            failure.__cause__ = error
            return failure
        finally:
            self._observe("decode", time.monotonic() - started)

    def close(self) -> None:
        """Wait for what runs and end the threads."""
        self._pool.shutdown(wait=True, cancel_futures=True)
