"""Numbers that are read at each scrape: what the parts of the service count for themselves."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from core.errors import SightlineError

logger = logging.getLogger(__name__)

Read = Callable[[], float]


@dataclass(frozen=True, slots=True)
class _Number:
    """One series."""

    family: type[CounterMetricFamily | GaugeMetricFamily]
    help_text: str
    labels: Mapping[str, str]
    read: Read


class LiveNumbers(Collector):
    """A collector of functions; one that cannot be read is left out of that scrape."""

    def __init__(self) -> None:
        """Start with none."""
        self._numbers: dict[str, list[_Number]] = {}

    def add_gauge(self, name: str, help_text: str, read: Read, **labels: str) -> None:
        """Publish ``sightline_<name>``, which may fall; ``labels`` are constants of the code."""
        self._add(name, _Number(GaugeMetricFamily, help_text, labels, read))

    def add_counter(self, name: str, help_text: str, read: Read, **labels: str) -> None:
        """Publish ``sightline_<name>_total``, which never falls."""
        self._add(name, _Number(CounterMetricFamily, help_text, labels, read))

    def describe(self) -> list[Metric]:
        """Return nothing: numbers are added after the registration."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield each family with what its functions say now."""
        for name, numbers in list(self._numbers.items()):
            first = numbers[0]
            family = first.family(name, first.help_text, labels=list(first.labels))
            for number in numbers:
                try:
                    family.add_metric(list(number.labels.values()), number.read())
                except (SightlineError, OSError) as error:
                    # Whatever is broken, the other numbers are needed now more than ever.
                    logger.warning("no value", extra={"metric": name, "reason": str(error)})
            yield family

    def _add(self, name: str, number: _Number) -> None:
        self._numbers.setdefault(f"sightline_{name}", []).append(number)
