"""What a metric is, before anybody asks for it: a name, a help text, and numbers."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Any, NamedTuple


class Kind(Enum):
    """What a metric does with time."""

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
    """By the values of the labels: tuples of strings, in the order of the labels."""


class Histogram(NamedTuple):
    """How many observations were at most each of some bounds."""

    name: str
    help: str
    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    """Between one bound and the next, and, last, beyond all."""
    sum: float


def gauge(name: str, help: str, value: float) -> Metric:
    """Return a metric with one number that goes up and down."""
    return Metric(Kind.GAUGE, name, help, samples={(): value})
