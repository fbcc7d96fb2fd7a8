"""What /metrics says, for tests that ask it."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

Samples = dict[tuple[str, tuple[str, ...]], float]


def parse(text: str) -> Samples:
    """Return the samples by name (without the prefix) and label values."""
    return {
        (sample.name.removeprefix("ma_signaling_"), tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
