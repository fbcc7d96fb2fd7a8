"""Metrics in plain types, independent of Prometheus' library: a name, a help text, and numbers."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Any, NamedTuple


class Kind(Enum):
    """The kind of a metric."""

    COUNTER = "counter"
    """It only goes up."""
    GAUGE = "gauge"
    """It goes up and down."""


class Metric(NamedTuple):
    """A metric; ``name`` without the common prefix, and without a counter's ``_total``."""

    kind: Kind
    name: str
    help: str
    labels: tuple[str, ...] = ()
    samples: Mapping[Any, float] = MappingProxyType({})
    """The numbers by label values, which are tuples of strings in the order of ``labels``."""


class Histogram(NamedTuple):
    """The distribution of observations over buckets."""

    name: str
    help: str
    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    """Observations between each bound and the one before; finally those above all bounds. Not cumulative."""
    sum: float


def gauge(name: str, help: str, value: float) -> Metric:
    """Return a metric with one number that goes up and down."""
    return Metric(Kind.GAUGE, name, help, samples={(): value})
