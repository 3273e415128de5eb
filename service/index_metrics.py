"""What the writer and the merger of a gallery do, as metrics."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram

_COMMIT_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_MERGE_SECONDS = (0.01, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)
_CHANGES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class IndexMetrics:
    """An ``index.observing.IndexObserver`` that counts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register in ``registry``, each as zero."""
        self._commit_seconds = Histogram(
            "sightline_commit_seconds",
            "Time of one transaction, until it is durable and searchable.",
            buckets=_COMMIT_SECONDS,
            registry=registry,
        )
        self._commit_changes = Histogram(
            "sightline_commit_changes",
            "Changes that one transaction stored together.",
            buckets=_CHANGES,
            registry=registry,
        )
        self._write_errors = Counter(
            "sightline_write_errors",
            "Changes that the disk or the database refused; nothing of them is stored.",
            registry=registry,
        )
        self._merge_seconds = Histogram(
            "sightline_merge_seconds",
            "Time of one merge of the index, in the background.",
            buckets=_MERGE_SECONDS,
            registry=registry,
        )
        self._merge_errors = Counter(
            "sightline_merge_errors",
            "Merges of the index that came to nothing; the present base goes on.",
            registry=registry,
        )

    def committed(self, *, changes: int, took_s: float) -> None:
        """Note a transaction."""
        self._commit_seconds.observe(took_s)
        self._commit_changes.observe(changes)

    def write_failed(self) -> None:
        """Count a change that could not be stored."""
        self._write_errors.inc()

    def merged(self, *, took_s: float) -> None:
        """Note a new base."""
        self._merge_seconds.observe(took_s)

    def merge_failed(self) -> None:
        """Count a merge that came to nothing."""
        self._merge_errors.inc()
