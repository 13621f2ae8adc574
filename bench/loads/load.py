"""A load: each of N connections sends one request after the other for a time; every answer is checked."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import asdict, dataclass
from math import ceil
from time import perf_counter
from typing import Any, Protocol, Self

import orjson

from bench.gateway import Site
from bench.http import BenchError, Connection

WARM_UP_SHARE = 0.2
"""The share of a round's seconds in which the load first runs unmeasured, on one connection."""

OK = 200
SHOWN_LENGTH_MAX = 500

Data = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Request:
    """The bytes of a request, and the check of its answer's `data`, which raises if it is wrong."""

    wire: bytes
    check: Callable[[Data], None]


class Load(Protocol):
    """A source of requests; `items` is the number that one answer counts as (the events of a batch)."""

    items: int

    def next_request(self) -> Request:
        """Return the next request."""

    async def verify(self) -> None:
        """Check, after the load, what it has written."""


@dataclass(frozen=True, slots=True)
class Latency:
    """The 50th and 99th percentile in milliseconds."""

    p50_ms: float
    p99_ms: float

    @classmethod
    def of(cls, seconds: list[float]) -> Self:
        """Return the latency of some durations in seconds (nearest rank)."""
        ranked = sorted(seconds)
        return cls(*(ranked[ceil(share * len(ranked)) - 1] * 1000 for share in (0.5, 0.99)))


@dataclass(frozen=True, slots=True)
class Round:
    """One measured round. `gateway_cpu`, `mongod_cpu` and `load_cpu` are shares of one core, 1 is all of it.

    `after_answer` is for deliveries only: from the mutation's answer to the arrival, 0 if it arrived earlier.
    """

    items: int
    seconds: float
    latency: Latency
    gateway_cpu: float
    mongod_cpu: float
    load_cpu: float
    after_answer: Latency | None = None

    @property
    def per_second(self) -> float:
        """Items per second."""
        return self.items / self.seconds

    @property
    def gateway_us(self) -> float:
        """The gateway's CPU time per item, in microseconds."""
        return self.gateway_cpu / self.per_second * 1e6

    @property
    def mongod_us(self) -> float:
        """The CPU time of mongod per item, in microseconds."""
        return self.mongod_cpu / self.per_second * 1e6

    def record(self) -> dict[str, Any]:
        """Return the round as JSON values."""
        derived = {name: getattr(self, name) for name in ("per_second", "gateway_us", "mongod_us")}
        return {**derived, **asdict(self)}


class Stopwatch:
    """Wall-clock and CPU seconds from its creation to `stop`."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._cpu = site.cpu_seconds()
        self._started = perf_counter()

    def stop(self, items: int, latency: Latency, after_answer: Latency | None = None) -> Round:
        """Return the round."""
        seconds, before, after = perf_counter() - self._started, self._cpu, self._site.cpu_seconds()
        gateway, mongod, load = (
            (getattr(after, name) - getattr(before, name)) / seconds for name in ("gateway", "mongod", "load")
        )
        return Round(items, seconds, latency, gateway, mongod, load, after_answer)


def data_of(status: int, body: bytes) -> Data:
    """Return the `data` of an answer.

    Raises:
        BenchError: the status is not 200, there are errors, or there is no data.
    """
    answer = orjson.loads(body) if status == OK else {}
    data = answer.get("data")
    if not isinstance(data, dict) or not data or "errors" in answer:
        raise BenchError(f"wrong answer, status {status}: {body[:SHOWN_LENGTH_MAX].decode(errors='replace')}")
    return data


async def together(*work: Coroutine[Any, Any, None]) -> None:
    """Run coroutines concurrently; the first failure cancels the others and is raised without its group."""
    try:
        async with asyncio.TaskGroup() as tasks:
            for coroutine in work:
                tasks.create_task(coroutine)
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None


async def run(site: Site, load: Load, *, connections: int, seconds: float) -> Round:
    """Run a load and return its round; latencies run from sending a request to its complete answer."""
    opened = [await Connection.open(site.host, site.port) for _ in range(connections)]
    latencies: list[float] = []

    async def drive(connection: Connection, deadline: float) -> None:
        while (sent := perf_counter()) < deadline:
            request = load.next_request()
            status, body = await connection.send(request.wire)
            latencies.append(perf_counter() - sent)
            request.check(data_of(status, body))

    try:
        await drive(opened[0], perf_counter() + seconds * WARM_UP_SHARE)
        latencies.clear()
        watch = Stopwatch(site)
        deadline = perf_counter() + seconds
        await together(*(drive(connection, deadline) for connection in opened))
        measured = watch.stop(len(latencies) * load.items, Latency.of(latencies))
        await load.verify()
    finally:
        for connection in opened:
            connection.close()
    return measured
