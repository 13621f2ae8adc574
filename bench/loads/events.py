"""Events per second: one by one, in batches, at half load for latency; and without a gateway, for comparison."""

import asyncio
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass
from functools import partial
from itertools import count
from statistics import median
from typing import Any

from bench.gateway import Member, Site
from bench.http import Connection
from bench.loads.frozen import BareRound, frozen_database
from bench.loads.load import Latency, Round, Stopwatch, data_of, run, together
from bench.operations import BatchTill, Till
from bench.servers import Server
from bench.world import World

SINGLE_CONNECTIONS, BATCH_CONNECTIONS = 64, 4
MEMBERS_MAX = 5_000
F = "F: purchases as 0.2.0 stored them, nothing decided, no gateway"
BARE_INSERTS = "bare insert_many, no gateway"
SINGLES, BATCHES, HALF_LOAD = "one by one", "in batches of 100", "one by one, at half load"
WARM_UP_SECONDS = 1
HEAD = (
    *("events", "connections", "per second", "of F", "min to max", "gateway us CPU each", "mongod us CPU each"),
    *("p50 ms", "p99 ms", "gateway CPU", "mongod CPU"),
)


Start = Callable[[], AbstractAsyncContextManager[Server]]


@dataclass(frozen=True, slots=True)
class Measured:
    """The rounds of the gateway's loads, and those without a gateway, by name."""

    gateway: dict[str, list[Round]]
    bare: dict[str, list[BareRound]]

    def record(self) -> dict[str, Any]:
        """Return every round as JSON values."""
        return {
            **{name: [one.record() for one in rounds] for name, rounds in self.gateway.items()},
            **{name: [asdict(one) for one in rounds] for name, rounds in self.bare.items()},
        }


def site_of(world: World, server: Server) -> Site:
    """Return a server as the site that loads run on, with up to MEMBERS_MAX members."""
    members = tuple(Member(one.number, "") for one in world.members[:MEMBERS_MAX])
    return Site("127.0.0.1", server.port, server.pid, world.mongod_pid, world.key, world.database, members)


async def full_load(
    world: World, server: Server, make: type[Till], *, connections: int, seconds: float, seed: int
) -> Round:
    """Run a load of events as fast as the gateway responds."""
    site = site_of(world, server)
    return await run(site, make(site, seed), connections=connections, seconds=seconds)


async def paced(world: World, server: Server, *, per_second: float, seconds: float, seed: int) -> Round:
    """Send single events at a steady rate; latency counts from the scheduled send time.

    So latency includes waiting for a free connection.
    """
    site, schedule = site_of(world, server), count()
    till = Till(site, seed)
    opened = [await Connection.open(site.host, site.port) for _ in range(SINGLE_CONNECTIONS)]
    latencies: list[float] = []
    watch, started = Stopwatch(site), time.perf_counter()

    async def drive(connection: Connection) -> None:
        while (moment := started + next(schedule) / per_second) < started + seconds:
            await asyncio.sleep(max(0.0, moment - time.perf_counter()))
            request = till.next_request()
            status, body = await connection.send(request.wire)
            latencies.append(time.perf_counter() - moment)
            request.check(data_of(status, body))

    try:
        await together(*(drive(connection) for connection in opened))
        measured = watch.stop(len(latencies), Latency.of(latencies))
    finally:
        for connection in opened:
            connection.close()
    await till.verify()
    return measured


async def measure(world: World, start: Start, *, rounds: int, seconds: float) -> Measured:
    """Measure F and the event loads in turn; `start` starts the gateway.

    It runs for its own loads only: its change stream would make mongod read what F writes.
    """
    done = Measured({name: [] for name in (SINGLES, BATCHES, HALF_LOAD)}, {name: [] for name in (F, BARE_INSERTS)})
    async with frozen_database(world.url, world.mongod_pid) as frozen:
        await frozen.commits(WARM_UP_SECONDS)
        for seed in range(rounds):
            done.bare[F].append(await frozen.commits(seconds))
            done.bare[BARE_INSERTS].append(await frozen.inserts(seconds))
            async with start() as server:
                load = partial(full_load, world, server)
                await load(Till, connections=SINGLE_CONNECTIONS, seconds=WARM_UP_SECONDS, seed=seed)
                singles = await load(Till, connections=SINGLE_CONNECTIONS, seconds=seconds, seed=seed)
                batches = await load(BatchTill, connections=BATCH_CONNECTIONS, seconds=seconds, seed=seed)
                half = await paced(world, server, per_second=singles.per_second / 2, seconds=seconds, seed=seed)
            for name, one in ((SINGLES, singles), (BATCHES, batches), (HALF_LOAD, half)):
                done.gateway[name].append(one)
            figures = f"{batches.per_second:,.0f}/s in batches, F {done.bare[F][-1].per_second:,.0f}/s"
            print(
                f"events, round {seed + 1}/{rounds}: {singles.per_second:,.0f}/s one by one, {figures}", file=sys.stderr
            )
    return done


def _rates(rounds: Sequence[Round | BareRound], f: float) -> tuple[str, str, str]:
    """Return the cells of the median rate, of its share of F, and of the range."""
    rates = [one.per_second for one in rounds]
    return f"{median(rates):,.0f}", f"{median(rates) / f:.2f}", f"{min(rates):,.0f} to {max(rates):,.0f}"


def _row(name: str, rounds: Sequence[Round], f: float) -> tuple[str, ...]:
    connections = BATCH_CONNECTIONS if name == BATCHES else SINGLE_CONNECTIONS
    return (
        *(name, str(connections), *_rates(rounds, f)),
        *(f"{median(getattr(one, figure) for one in rounds):,.0f}" for figure in ("gateway_us", "mongod_us")),
        *(f"{median(getattr(one.latency, figure) for one in rounds):.1f}" for figure in ("p50_ms", "p99_ms")),
        *(f"{median(getattr(one, figure) for one in rounds):.0%}" for figure in ("gateway_cpu", "mongod_cpu")),
    )


def _bare_row(name: str, rounds: Sequence[BareRound], f: float) -> tuple[str, ...]:
    mongod_us = median(one.mongod_us for one in rounds)
    return (name, "", *_rates(rounds, f), "", f"{mongod_us:,.0f}", "", "", "", "")


def markdown(measured: Measured) -> str:
    """Return the Markdown table of events, each rate as a share of F too."""
    f = median(one.per_second for one in measured.bare[F])
    rows = [
        *(_row(name, rounds, f) for name, rounds in measured.gateway.items()),
        *(_bare_row(name, rounds, f) for name, rounds in measured.bare.items()),
    ]
    client_us = median(one.client_us for one in measured.bare[F])
    lines = [
        "| " + " | ".join(HEAD) + " |",
        "| --- |" + " ---: |" * (len(HEAD) - 1),
        *("| " + " | ".join(row) + " |" for row in rows),
        "",
        f"The client of F took {client_us:,.0f} us of CPU for each purchase.",
    ]
    return "\n".join(lines) + "\n"
