"""How metrics are declared, and those that every service has.

A service declares its metrics in one module, each with its labels and a help text;
`docs/metrics.md` is made from the declarations. Names follow Prometheus: base units, `_total` for
counters, `_seconds` and `_bytes`. No label may take values of a stranger's choosing, nor ids.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

Kind = Literal["counter", "gauge", "histogram"]
Samples = Iterable[tuple[Sequence[str], float]]
WRITERS = ("chargebee_adapter", "linker", "poweroffice_adapter")
ADAPTERS = ("chargebee_adapter", "poweroffice_adapter")
EVERYBODY = ("chargebee_adapter", "console", "linker", "poweroffice_adapter")
CALL_S = (
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    30.0,
)  # of one request or transaction
WAIT_S = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0, 86400.0)


@dataclass(frozen=True)
class Declared:
    """One metric: its name without the endings of a histogram, and the services that have it."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...]
    services: tuple[str, ...]


@dataclass(frozen=True)
class Figure:
    """A metric whose values are read when they are asked for, since somebody keeps them anyhow."""

    declared: Declared

    def of(self, samples: Samples) -> Metric:
        """The metric with these values, each with the values of its labels."""
        held, is_counter = self.declared, self.declared.kind == "counter"
        family: CounterMetricFamily | GaugeMetricFamily = (
            CounterMetricFamily(held.name.removesuffix("_total"), held.help, labels=held.labels)
            if is_counter
            else GaugeMetricFamily(held.name, held.help, labels=held.labels)
        )
        for labels, value in samples:
            family.add_metric(list(labels), value)
        return family


class Metrics:
    """The metrics that these services declare in one module."""

    def __init__(self, *services: str) -> None:
        self._services = services
        self.declared: list[Declared] = []

    def counter(self, name: str, help: str, *labels: str) -> Counter:
        """A count that only grows; its name ends in `_total`."""
        self._declare(name, "counter", help, labels)
        return Counter(name, help, labels)

    def gauge(self, name: str, help: str, *labels: str) -> Gauge:
        """A value that goes up and down, set where it changes."""
        self._declare(name, "gauge", help, labels)
        return Gauge(name, help, labels)

    def histogram(
        self,
        name: str,
        help: str,
        *labels: str,
        buckets: Sequence[float] = CALL_S,
    ) -> Histogram:
        """How often a value was at most so much."""
        self._declare(name, "histogram", help, labels)
        return Histogram(name, help, labels, buckets=buckets)

    def figure(self, name: str, help: str, *labels: str, kind: Kind = "gauge") -> Figure:
        """A gauge, or a counter, that a `Collected` reads when it is asked for."""
        return Figure(self._declare(name, kind, help, labels))

    def _declare(self, name: str, kind: Kind, help: str, labels: tuple[str, ...]) -> Declared:
        declared = Declared(name, kind, help, labels, self._services)
        self.declared.append(declared)
        return declared


class Collected(Collector):
    """Figures that `collect` reads when they are asked for, between `begin` and `end`."""

    def __init__(
        self,
        collect: Callable[[], Iterable[Metric]],
        registry: CollectorRegistry = REGISTRY,
    ) -> None:
        self._collect, self._registry, self._begun = collect, registry, False

    def begin(self) -> None:
        """Show them from now on."""
        if not self._begun:
            self._registry.register(self)
            self._begun = True

    def end(self) -> None:
        """Show them no more."""
        if self._begun:
            self._registry.unregister(self)
            self._begun = False

    def describe(self) -> Iterable[Metric]:
        """Nothing: the registry would collect at once otherwise, before there is anything to
        read."""
        return ()

    def collect(self) -> Iterable[Metric]:
        return self._collect()


COMMON = Metrics(*EVERYBODY)
BUILD = COMMON.gauge(
    "tandem_build_info",
    "Always 1; the labels say what runs",
    "service",
    "version",
)
READY = COMMON.figure("tandem_ready", "1 while the service is ready, as /health/ready says")
RESTORING = COMMON.figure("tandem_restoring", "1 while the service restores its state at a start")
RESTORE_S = COMMON.gauge(
    "tandem_restore_seconds", "How long the last restoration of the state took; 0 before it is done"
)
KAFKA = COMMON.figure("tandem_kafka_reachable", "1 while Kafka answers this process")
RESTARTS = COMMON.counter(
    "tandem_task_restarts_total",
    "Background tasks begun again after they ended unasked",
    "task",
)

WRITING = Metrics(*WRITERS)
LAG_RECORDS = WRITING.figure(
    "tandem_consumer_lag_records",
    "Offsets between what was taken and the end of a partition",
    "topic",
    "partition",
)
LAG_S = WRITING.figure(
    "tandem_consumer_lag_seconds",
    "Age of the oldest record that is not taken yet; 0 where all is taken",
    "topic",
    "partition",
)
FENCED = WRITING.gauge(
    "tandem_partition_fenced",
    "1 once another process has taken the partition over: a person must end one of the two",
    "partition",
)
COMMIT_S = WRITING.histogram(
    "tandem_transaction_seconds", "Time that Kafka took for one transaction that was committed"
)
COMMIT_RECORDS = WRITING.histogram(
    "tandem_transaction_records",
    "Records sent in one committed transaction",
    buckets=(0, 1, 10, 100, 1000, 5000, 10000),
)
COMMIT_BYTES = WRITING.histogram(
    "tandem_transaction_bytes",
    "Bytes of keys, values and headers in one committed transaction",
    buckets=(1e3, 1e4, 1e5, 1e6, 1e7, 1e8),
)
NOT_COMMITTED = WRITING.counter(
    "tandem_transaction_failures_total",
    "Transactions of which nothing was committed; each is tried again",
)
DEAD_LETTERS = WRITING.counter(
    "tandem_dead_letters_written_total",
    "Messages put among the dead letters, by the topic they came from (without prefix)",
    "topic",
)
