"""Metrics in Prometheus' text format. Only this module imports its library, and it is imported at the first scrape."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family

from ma_signaling.monitoring.metric import Histogram, Kind, Metric

PREFIX = "ma_signaling_"

_FAMILIES = {Kind.COUNTER: CounterMetricFamily, Kind.GAUGE: GaugeMetricFamily}


class _Collector:
    """A collector for prometheus_client of the metrics that some functions return."""

    def __init__(self, watched: Iterable[Callable[[], Iterable[Metric | Histogram]]]) -> None:
        self._watched = watched

    def collect(self) -> Iterator[Family]:
        """Yield the metrics with their current values."""
        for read in self._watched:
            yield from map(_family, read())


def text(watched: Iterable[Callable[[], Iterable[Metric | Histogram]]]) -> bytes:
    """Return the metrics that these functions return, and those of the process."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    # Not registered: ``register`` would collect all metrics just for their names.
    return generate_latest(registry) + generate_latest(_Collector(watched))


def _family(metric: Metric | Histogram) -> Family:
    if isinstance(metric, Histogram):
        bounds = [*map(str, metric.bounds), "+Inf"]
        buckets = list(zip(bounds, accumulate(metric.counts), strict=True))
        return HistogramMetricFamily(PREFIX + metric.name, metric.help, buckets, metric.sum)
    family: CounterMetricFamily | GaugeMetricFamily = _FAMILIES[metric.kind](
        PREFIX + metric.name, metric.help, labels=metric.labels
    )
    for values, number in metric.samples.items():
        family.add_metric(values, number)
    return family
