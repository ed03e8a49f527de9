"""The answer to a scrape."""

from collections.abc import Iterable, Iterator

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
        found: Iterable[Metric]
        if family.slots is None:
            found = (m for m in REGISTRY.collect() if m.name.startswith("gateway_"))
        else:
            found = merged(family.slots.files())
        return (metric for metric in found if metric.name not in INTERNAL)


def exposition(*others: Collector) -> bytes:
    """Give everything there is to say, in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    for collector in (Values(), Processes(), *others):
        registry.register(collector)
    return generate_latest(registry)
