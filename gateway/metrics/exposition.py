"""The answer to a scrape."""

from collections.abc import Iterator

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector, CollectorRegistry

from gateway.metrics.family import family, merged
from gateway.metrics.processes import INTERNAL, Processes

__all__ = ["CONTENT_TYPE_LATEST", "exposition"]


class Values(Collector):
    """What our processes have counted: all of the family's, or this one's where it has none."""

    def collect(self) -> Iterator[Metric]:
        """Give them; nothing of other libraries in this process."""
        found = REGISTRY.collect() if family.slots is None else merged(family.slots.files())
        ours = (metric for metric in found if metric.name.startswith("gateway_"))
        return (metric for metric in ours if metric.name not in INTERNAL)


def exposition(*others: Collector) -> bytes:
    """Give everything there is to say, in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    for collector in (Values(), Processes(), *others):
        registry.register(collector)
    return generate_latest(registry)
