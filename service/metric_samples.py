"""What the metrics say at one moment, to be read by name instead of as text."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from prometheus_client.core import Metric

_INFINITE = "+Inf"


@dataclass(frozen=True, slots=True)
class HistogramSample:
    """One histogram since the process began."""

    count: int
    seconds: float
    """Sum of what was observed; of other units where the metric has them."""
    buckets: tuple[int, ...]
    """How many were at most as large as each bound, the last bound being infinite."""


class MetricSamples:
    """The samples of one scrape."""

    def __init__(self, families: Iterable[Metric]) -> None:
        """Take what a registry collected."""
        self._samples: dict[str, list[tuple[Mapping[str, str], float]]] = defaultdict(list)
        for family in families:
            for sample in family.samples:
                self._samples[sample.name].append((sample.labels, sample.value))

    def value(self, name: str, **labels: str) -> float:
        """Return the sum of the series of a name that have these labels; 0 where there is none."""
        return sum(value for found, value in self._samples.get(name, ()) if _has(found, labels))

    def by_label(self, name: str, label: str, **labels: str) -> dict[str, float]:
        """Return the sums of a name by the values of one label; those of 0 are left out."""
        sums: dict[str, float] = defaultdict(float)
        for found, value in self._samples.get(name, ()):
            if value and _has(found, labels):
                sums[found[label]] += value
        return dict(sums)

    def bounds(self, name: str) -> list[float]:
        """Return the finite upper bounds of the buckets of a histogram."""
        texts = {labels["le"] for labels, _ in self._samples.get(f"{name}_bucket", ())}
        return sorted(float(text) for text in texts if text != _INFINITE)

    def histogram(self, name: str, **labels: str) -> HistogramSample:
        """Return a histogram; those of several series that have these labels are added."""
        sums: dict[float, float] = defaultdict(float)
        for found, value in self._samples.get(f"{name}_bucket", ()):
            if _has(found, labels):
                sums[float(found["le"])] += value
        return HistogramSample(
            count=int(self.value(f"{name}_count", **labels)),
            seconds=self.value(f"{name}_sum", **labels),
            buckets=tuple(int(sums[bound]) for bound in sorted(sums)),
        )


def _has(found: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    return all(found.get(name) == value for name, value in wanted.items())
