"""Which way of running a tower is the quickest on this machine: measured, one way at a time.

Each candidate is timed in turns with one reference and judged by the median ratio of the two. So
what else happens on the machine meanwhile falls on both, and only two towers are in memory.

# N = items, S = image size
"""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path

import numpy as np

from core.errors import ConfigError
from core.types import FloatArray, PixelArray
from encoders.openvino_runtime import import_openvino
from encoders.openvino_tower import Inputs, OpenVINOTower
from encoders.tokenizer import TextTokenizer
from encoders.tower_plan import Precision, TowerPlan, sizes_of_runs
from encoders.two_towers import unit_rows

_WAVES = 2
"""Runs of each stream in one timing of many items: the streams then overlap as they do in use."""
_WORTH = 1.05
"""A second compiled tower takes memory and start time; it has to be this much quicker."""
_MS = 1000.0


@dataclass(frozen=True, slots=True)
class TuningOptions:
    """How much is measured."""

    rounds: int = 7
    """Timings of each candidate; their median counts. Odd, so that it is one of them."""
    image_chunks: tuple[int, ...] = (4, 16)
    """Pictures of one run that are tried: few stay in the caches, many fill wide machines."""
    text_chunks: tuple[int, ...] = (16, 64)
    """Most texts of one run that are tried."""

    def __post_init__(self) -> None:
        """Refuse to measure nothing.

        Raises:
            ConfigError: no rounds, or no size to try.
        """
        if self.rounds < 1 or not self.image_chunks or not self.text_chunks:
            raise ConfigError(f"{self}: expected at least one round and one size of each kind")


@dataclass(frozen=True, slots=True)
class TowerTrial:
    """One tower, and the items that it is timed with."""

    path: Path
    make_inputs: Callable[[Sequence[int]], list[Inputs]]
    """Returns the inputs of runs of the given sizes."""
    fixed: bool
    """Whether it is compiled for one number of items: image towers."""
    chunks: tuple[int, ...]
    """Sizes of a run that are tried."""


class PairedTimer:
    """Times towers in turns with a reference, which stays compiled."""

    def __init__(
        self,
        reference: Callable[[], object],
        *,
        rounds: int,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Run the reference once, so that it is warm."""
        self._reference = reference
        self._rounds = rounds
        self._clock = clock
        self._reference_s: list[float] = []
        reference()

    def ratio(self, candidate: Callable[[], object]) -> float:
        """Return the median over the rounds of the candidate's time over the reference's."""
        candidate()
        ratios = []
        for _ in range(self._rounds):
            reference_s = self._took_s(self._reference)
            ratios.append(self._took_s(candidate) / reference_s)
            self._reference_s.append(reference_s)
        return statistics.median(ratios)

    def to_ms(self, ratio: float) -> float:
        """Return a ratio as milliseconds: times the median of the reference over all rounds."""
        return _MS * ratio * statistics.median(self._reference_s)

    def _took_s(self, work: Callable[[], object]) -> float:
        begun = self._clock()
        work()
        return max(self._clock() - begun, 1e-9)


def image_trial(path: Path, pixels_NSS3: PixelArray, options: TuningOptions) -> TowerTrial:
    """Return how an image tower is tried: with pictures over and over."""

    def make_inputs(sizes: Sequence[int]) -> list[Inputs]:
        rows_N = np.resize(np.arange(len(pixels_NSS3)), sum(sizes))
        return [
            {"pixels": pixels_NSS3[rows_N[start:end]]}
            for start, end in pairwise([0, *accumulate(sizes)])
        ]

    return TowerTrial(path, make_inputs, fixed=True, chunks=options.image_chunks)


def text_trial(
    path: Path, tokenizer: TextTokenizer, texts: Sequence[str], options: TuningOptions
) -> TowerTrial:
    """Return how a text tower is tried: with texts over and over, those of like length together."""
    token_ids = tokenizer.token_ids(texts)
    middle = sorted(token_ids, key=len)[len(token_ids) // 2]

    def make_inputs(sizes: Sequence[int]) -> list[Inputs]:
        count = sum(sizes)
        rows = [token_ids[row % len(token_ids)] for row in range(count)] if count > 1 else [middle]
        rows.sort(key=len)
        batches = [
            tokenizer.pad(rows[start:end]) for start, end in pairwise([0, *accumulate(sizes)])
        ]
        return [
            {"input_ids": batch.input_ids_NL, "attention_mask": batch.attention_mask_NL}
            for batch in batches
        ]

    return TowerTrial(path, make_inputs, fixed=False, chunks=options.text_chunks)


def open_timer(trial: TowerTrial, options: TuningOptions) -> PairedTimer:
    """Return a timer whose reference is the tower in float32, one item at a time."""
    tower = OpenVINOTower(import_openvino(), trial.path, TowerPlan(chunk=1, fixed=trial.fixed))
    inputs = trial.make_inputs([1])
    return PairedTimer(lambda: tower.run(inputs), rounds=options.rounds)


def tune_tower(
    trial: TowerTrial, precision: Precision, timer: PairedTimer, *, cores: int
) -> tuple[TowerPlan, TowerPlan]:
    """Return the quickest way to run one item, and the quickest to run many, with their times.

    The two are the same where a tower of its own for many would win less than 5 %.

    Raises:
        EncoderError: the tower does not compile.
    """
    singles = single_plans(precision, cores=cores, fixed=trial.fixed)
    bulks = bulk_plans(precision, cores=cores, chunks=trial.chunks, fixed=trial.fixed)
    single = min((_timed(trial, plan, timer) for plan in singles), key=lambda plan: plan.run_ms)
    bulk = max((_timed(trial, plan, timer) for plan in bulks), key=lambda plan: plan.per_second)
    if bulk.streams > 1:
        free = _timed(trial, dataclasses.replace(bulk, pinned=False), timer)
        bulk = max(bulk, free, key=lambda plan: plan.per_second)
    shared = trial.fixed and bulk.per_second < _WORTH * single.per_second
    return single, single if shared else bulk


def single_plans(precision: Precision, *, cores: int, fixed: bool) -> list[TowerPlan]:
    """Return the ways to run one item: on one core, on half of them, and on all."""
    threads = sorted({1, max(1, cores // 2), cores})
    return [TowerPlan(precision, chunk=1, fixed=fixed, threads=count) for count in threads]


def bulk_plans(
    precision: Precision, *, cores: int, chunks: Sequence[int], fixed: bool
) -> list[TowerPlan]:
    """Return the ways to run many items on all cores: from one stream to one for each core."""
    streams = sorted({1, max(1, cores // 4), max(1, cores // 2), cores})
    return [
        TowerPlan(precision, chunk=chunk, fixed=fixed, streams=count, threads=cores)
        for count in streams
        for chunk in chunks
    ]


def embed_pixels(path: Path, plan: TowerPlan, pixels_NSS3: PixelArray) -> FloatArray:
    """Return the (N, D) embeddings that an image tower gives when it is run by a plan.

    Raises:
        EncoderError: the tower does not compile or cannot be run.
    """
    tower = OpenVINOTower(import_openvino(), path, plan)
    starts = pairwise([0, *accumulate(sizes_of_runs(len(pixels_NSS3), plan))])
    outputs = tower.run({"pixels": pixels_NSS3[start:end]} for start, end in starts)
    return unit_rows(np.concatenate(outputs))


def _timed(trial: TowerTrial, plan: TowerPlan, timer: PairedTimer) -> TowerPlan:
    """Return the plan with the time of one run when all of its streams are busy."""
    tower = OpenVINOTower(import_openvino(), trial.path, plan)
    waves = _WAVES if plan.chunk > 1 else 1
    inputs = trial.make_inputs([plan.chunk] * (plan.streams * waves))
    ratio = timer.ratio(lambda: tower.run(inputs)) / waves
    return dataclasses.replace(plan, run_ms=round(timer.to_ms(ratio), 4))
