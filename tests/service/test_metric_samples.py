"""Rules of reading metrics by name: sums over labels, histograms, and what is not there."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram

from service.metric_samples import HistogramSample, MetricSamples


def scraped() -> MetricSamples:
    """Return the samples of three requests on two routes."""
    registry = CollectorRegistry()
    requests = Counter("asked", "Requests.", ["route", "status"], registry=registry)
    seconds = Histogram("took", "Time.", ["route"], buckets=(0.1, 1.0), registry=registry)
    for route, status, took in (("/a", "200", 0.05), ("/a", "429", 0.5), ("/b", "200", 3.0)):
        requests.labels(route, status).inc()
        seconds.labels(route).observe(took)
    requests.labels("/c", "200")
    return MetricSamples(registry.collect())


def test_series_are_added_over_the_labels_that_are_left_open() -> None:
    """All of a name, those of one label, and nothing for a name that nobody publishes."""
    found = scraped()

    assert found.value("asked_total") == 3
    assert found.value("asked_total", route="/a") == 2
    assert found.value("asked_total", route="/a", status="429") == 1
    assert found.value("nobody") == 0


def test_sums_by_label_leave_out_what_never_happened() -> None:
    """``/c`` is published as zero and is no news."""
    assert scraped().by_label("asked_total", "route") == {"/a": 2, "/b": 1}
    assert scraped().by_label("asked_total", "status", route="/a") == {"200": 1, "429": 1}


def test_a_histogram_has_cumulative_buckets_in_order_of_their_bounds() -> None:
    """The last bucket has no bound and holds all."""
    found = scraped()

    assert found.bounds("took") == [0.1, 1.0]
    assert found.histogram("took") == HistogramSample(3, 3.55, (1, 2, 3))
    assert found.histogram("took", route="/b") == HistogramSample(1, 3.0, (0, 0, 1))
    assert found.histogram("nobody") == HistogramSample(0, 0.0, ())
