"""What a metric is, before anybody asks for it: a name, a help text, and numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class Kind(Enum):
    """What a metric does with time."""

    COUNTER = "counter"
    """It only goes up."""
    GAUGE = "gauge"
    """It goes up and down."""


@dataclass(frozen=True)
class Metric:
    """A metric; ``name`` without the common prefix, and without a counter's ``_total``."""

    kind: Kind
    name: str
    help: str
    labels: tuple[str, ...] = ()
    samples: Mapping[Any, float] = field(default_factory=dict)
    """By the values of the labels: tuples of strings, in the order of the labels."""


@dataclass(frozen=True)
class Histogram:
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
