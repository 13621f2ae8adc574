"""Metrics for Prometheus: one registry per gateway, a bounded number of labels, workers summed up."""

from pathlib import Path
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.multiprocess import MultiProcessCollector

OPERATION_NAMES_MAX = 200
OPERATION_NAME_LENGTH_MAX = 100
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

M = TypeVar("M", Counter, Histogram)
Labelled = dict[tuple[str, ...], M]


def _child(cache: Labelled[M], metric: M, *labels: str) -> M:
    """Return a metric's child for some labels, from the cache: to find it is more expensive than to count."""
    child = cache.get(labels)
    if child is None:
        child = cache[labels] = metric.labels(*labels)
    return child


class Metrics:
    """The metrics of a gateway. With `shared_dir`, several workers count into that directory."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self, *, shared_dir: Path | None = None) -> None:
        self._shared_dir = shared_dir
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "carillon_requests", "Operations answered", ["transport", "outcome"], registry=self.registry
        )
        self.cached_answers = Counter(
            "carillon_answers_kept",
            "Operations answered from the response cache, after validation",
            registry=self.registry,
        )
        self.execution = Histogram(
            "carillon_execution_seconds",
            "Seconds from a parsed operation to its result",
            ["operation"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.commits = Counter("carillon_commits", "Groups of commands committed", registry=self.registry)
        self.group_size = Histogram(
            "carillon_group_size",
            "Commands in a committed group",
            buckets=(1, 2, 5, 10, 20, 50, 100, 200),
            registry=self.registry,
        )
        self.commit = Histogram(
            "carillon_commit_seconds", "Seconds to commit a group", buckets=_SECONDS, registry=self.registry
        )
        self.feed_lag = Histogram(
            "carillon_feed_lag_seconds",
            "Seconds from a commit to its arrival on the change feed",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.unsettled = Gauge(
            "carillon_unsettled_members",
            "Overdue members that the last round could not settle",
            registry=self.registry,
            multiprocess_mode="livemax",
        )
        self.clock_skew = Gauge(
            "carillon_clock_skew_seconds",
            "Seconds by which the host clock is ahead of MongoDB's",
            registry=self.registry,
            multiprocess_mode="livemostrecent",
        )
        self.sockets = Gauge(
            "carillon_sockets",
            "Live connections",
            ["transport"],
            registry=self.registry,
            multiprocess_mode="livesum",
        )
        self.deliveries = Counter(
            "carillon_deliveries", "Updates sent to subscribers", ["transport"], registry=self.registry
        )
        self.executed_updates = Counter(
            "carillon_executed_updates",
            "Updates executed, each once for all subscribers that get the same answer",
            registry=self.registry,
        )
        self.documents = Counter(
            "carillon_documents",
            "Requested operations not answered from the response cache, by how they were identified",
            ["how"],
            registry=self.registry,
        )
        self._names: set[str] = set()
        self._observed: Labelled[Histogram] = {}
        self._counted: Labelled[Counter] = {}
        self._documents: Labelled[Counter] = {}
        self._deliveries: Labelled[Counter] = {}

    def know_operation(self, name: str | None) -> None:
        """Give an operation a label: one that is registered, or of a caller whose texts the brand writes.

        At most OPERATION_NAMES_MAX operations get one.
        """
        if name is None or name in self._names:
            return
        if len(self._names) < OPERATION_NAMES_MAX and len(name) <= OPERATION_NAME_LENGTH_MAX:
            self._names.add(name)

    def operation_label(self, name: str | None) -> str:
        """Return the label of an operation: its name if it is known, for anybody can invent names; else `other`."""
        if name is None:
            return "anonymous"
        return name if name in self._names else "other"

    def count_operation(self, name: str | None, transport: str, outcome: str, seconds: float) -> None:
        """Count an answered operation, and the `seconds` of its execution."""
        _child(self._observed, self.execution, self.operation_label(name)).observe(seconds)
        _child(self._counted, self.requests, transport, outcome).inc()

    def count_cached(self, name: str | None, transport: str, seconds: float) -> None:
        """Count an operation answered from the response cache."""
        self.cached_answers.inc()
        self.count_operation(name, transport, "ok", seconds)

    def count_document(self, how: str) -> None:
        """Count an operation by how it was identified: registered, remembered, text, own_text; unknown or refused."""
        _child(self._documents, self.documents, how).inc()

    def count_deliveries(self, transport: str, count: int) -> None:
        """Count updates sent to subscribers."""
        _child(self._deliveries, self.deliveries, transport).inc(count)

    def on_group(self, size: int, seconds: float) -> None:
        """Count a committed group: its commands, and the seconds to commit it."""
        self.commits.inc()
        self.group_size.observe(size)
        self.commit.observe(seconds)

    def text(self) -> bytes:
        """Return all metrics in Prometheus' text format, summed over the workers."""
        if self._shared_dir is None:
            return generate_latest(self.registry)
        workers = CollectorRegistry()
        MultiProcessCollector(workers, path=str(self._shared_dir))  # type: ignore[no-untyped-call]
        return generate_latest(workers)
