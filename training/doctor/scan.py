"""Every picture of a set of pairs, looked at once by several threads, kept as narrow columns.

About 110 bytes a picture stay in memory, so a million pairs take 0.1 GB; no pixels are kept.

# N = pairs
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.pairs.pair import Pair
from core.progress import ProgressFactory, silent
from core.types import IdArray
from encoders.decoding import DEFAULT_LIMITS, KNOWN_FORMATS, DecodeLimits
from training.doctor.fingerprint import CELL_BYTES, Fingerprints
from training.doctor.groups import numbered
from training.doctor.picture import DIGEST_BYTES, BadPicture, PictureFacts, Trait, inspect_pair

_PAIRS_OF_A_JOB = 16
_JOBS_AHEAD = 4

_Looked = list[PictureFacts | BadPicture]


@dataclass(frozen=True, slots=True)
class Scan:
    """What was found, one row a pair; the columns of a bad picture hold zeros."""

    good_N: NDArray[np.bool_]
    """Whether the picture can be used."""
    digest_N16: NDArray[np.uint8]
    """BLAKE2b of the file."""
    prints: Fingerprints
    width_N: NDArray[np.int32]
    """Pixels, upright."""
    height_N: NDArray[np.int32]
    """Pixels, upright."""
    bytes_N: NDArray[np.int64]
    """Size of the file."""
    format_N: NDArray[np.uint8]
    """Place in ``KNOWN_FORMATS``."""
    traits_N: NDArray[np.uint8]
    """Bits of ``Trait``."""
    bad: tuple[BadPicture, ...]
    """In order of the pairs."""

    def __len__(self) -> int:
        return len(self.good_N)

    def with_trait(self, trait: Trait) -> int:
        """Return how many usable pictures have a trait."""
        return int(((self.traits_N & trait) != 0)[self.good_N].sum())

    def same_file(self) -> IdArray:
        """Return for each pair (N,) a number that equal files share; a bad picture has its own."""
        digests = self.digest_N16.tobytes()
        return numbered(
            digests[row * DIGEST_BYTES : (row + 1) * DIGEST_BYTES] if good else row
            for row, good in enumerate(self.good_N.tolist())
        )


def scan_pictures(
    pairs: Sequence[Pair],
    *,
    threads: int = 0,
    limits: DecodeLimits = DEFAULT_LIMITS,
    title: str = "look at pictures",
    progress: ProgressFactory = silent,
) -> Scan:
    """Look at the picture of every pair; the result does not depend on ``threads`` (0: all cores).

    Ctrl-C ends it after the pictures in hand.
    """
    scan = _empty_scan(len(pairs))
    bad: list[BadPicture] = []
    row = 0
    with progress(title, total=len(pairs), unit="pictures") as shown:
        for looked in _in_order(pairs, threads or os.cpu_count() or 1, limits):
            for facts in looked:
                if isinstance(facts, BadPicture):
                    bad.append(facts)
                else:
                    _fill(scan, row, facts)
                row += 1
            shown.advance(len(looked), bad=len(bad))
    return Scan(
        good_N=scan.good_N,
        digest_N16=scan.digest_N16,
        prints=scan.prints,
        width_N=scan.width_N,
        height_N=scan.height_N,
        bytes_N=scan.bytes_N,
        format_N=scan.format_N,
        traits_N=scan.traits_N,
        bad=tuple(bad),
    )


def _in_order(pairs: Sequence[Pair], threads: int, limits: DecodeLimits) -> Iterator[_Looked]:
    """Yield what the threads find, in order, a bounded number of jobs ahead."""
    pool = ThreadPoolExecutor(threads, thread_name_prefix="look")
    ahead: deque[Future[_Looked]] = deque()
    try:
        for start in range(0, len(pairs), _PAIRS_OF_A_JOB):
            ahead.append(pool.submit(_look, pairs, start, limits))
            if len(ahead) > _JOBS_AHEAD * threads:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _look(pairs: Sequence[Pair], start: int, limits: DecodeLimits) -> _Looked:
    batch = pairs[start : start + _PAIRS_OF_A_JOB]
    return [inspect_pair(row, pair, limits) for row, pair in enumerate(batch, start)]


def _empty_scan(count: int) -> Scan:
    return Scan(
        good_N=np.zeros(count, np.bool_),
        digest_N16=np.zeros((count, DIGEST_BYTES), np.uint8),
        prints=Fingerprints(np.zeros(count, np.uint64), np.zeros((count, CELL_BYTES), np.uint8)),
        width_N=np.zeros(count, np.int32),
        height_N=np.zeros(count, np.int32),
        bytes_N=np.zeros(count, np.int64),
        format_N=np.zeros(count, np.uint8),
        traits_N=np.zeros(count, np.uint8),
        bad=(),
    )


def _fill(scan: Scan, row: int, facts: PictureFacts) -> None:
    scan.good_N[row] = True
    scan.digest_N16[row] = np.frombuffer(facts.digest, np.uint8)
    scan.prints.hash_N[row] = facts.fingerprint.hash
    scan.prints.cells_N48[row] = np.frombuffer(facts.fingerprint.cells, np.uint8)
    scan.width_N[row], scan.height_N[row] = facts.width, facts.height
    scan.bytes_N[row] = facts.num_bytes
    scan.format_N[row] = KNOWN_FORMATS.index(facts.format)
    scan.traits_N[row] = int(facts.traits)
