"""Events in a second: one by one and in batches, how long one takes at half of the full load, and bare inserts."""

import asyncio
import time
from dataclasses import dataclass
from itertools import count
from statistics import median
from typing import Any

from bench.gateway import Member, Site
from bench.http import Connection
from bench.load import Latency, data_of, run, together
from bench.load import Round as LoadRound
from bench.operations import BatchTill, Till
from bench.processes import usage
from bench.servers import Server
from bench.world import World

SINGLE_CONNECTIONS, BATCH_CONNECTIONS = 64, 4
BARE_BATCH = 200
MEMBERS_MAX = 5_000
HEAD = ("events", "connections", "per second", "least to most", "p50 ms", "p99 ms", "gateway CPU", "us CPU each")


@dataclass(frozen=True, slots=True)
class EventRound:
    """One round: events a second, latency of a request, CPU of the gateway for one event in microseconds."""

    per_second: float
    latency: Latency
    server_cpu: float
    server_us: float


def site_of(world: World, server: Server) -> Site:
    """Return a server as the loads of a gateway know it, with a part of the members."""
    members = tuple(Member(one.number, "") for one in world.members[:MEMBERS_MAX])
    return Site("127.0.0.1", server.port, server.pid, world.key, world.database, members)


async def whole(
    world: World, server: Server, make: type[Till], *, connections: int, seconds: float, seed: int
) -> EventRound:
    """Run a load of events as fast as the gateway answers."""
    site = site_of(world, server)
    one: LoadRound = await run(site, make(site, seed), connections=connections, seconds=seconds)
    return EventRound(one.per_second, one.latency, one.gateway_cpu, one.gateway_cpu / one.per_second * 1e6)


async def paced(world: World, server: Server, *, per_second: float, seconds: float, seed: int) -> EventRound:
    """Send single events at a steady rate; latency counts from the moment at which each one was due.

    So an event that had to wait for a free connection is told with its waiting.
    """
    site, due = site_of(world, server), count()
    till = Till(site, seed)
    opened = [await Connection.open(site.host, site.port) for _ in range(SINGLE_CONNECTIONS)]
    latencies: list[float] = []
    started = time.perf_counter()
    before = usage(server.pid)

    async def drive(connection: Connection) -> None:
        while (moment := started + next(due) / per_second) < started + seconds:
            await asyncio.sleep(max(0.0, moment - time.perf_counter()))
            ask = till.ask()
            status, body = await connection.ask(ask.wire)
            latencies.append(time.perf_counter() - moment)
            ask.check(data_of(status, body))

    try:
        await together(*(drive(connection) for connection in opened))
    finally:
        for connection in opened:
            connection.close()
    took, after = time.perf_counter() - started, usage(server.pid)
    await till.verify()
    cpu = after.cpu_seconds - before.cpu_seconds
    return EventRound(len(latencies) / took, Latency.of(latencies), cpu / took, cpu / len(latencies) * 1e6)


async def bare_inserts(world: World, seconds: float) -> float:
    """Return how many event documents a second mongod takes with nothing but insert_many, one batch after the other."""
    collection = world.database.db["bench_bare"]
    document = await world.database.events.find_one({})
    template: dict[str, Any] = {**(document or {}), "_id": None}
    places, inserted, started = count(), 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        await collection.insert_many([{**template, "_id": f"bare-{next(places)}"} for _ in range(BARE_BATCH)])
        inserted += BARE_BATCH
    taken = time.perf_counter() - started
    await collection.drop()
    return inserted / taken


async def measure(world: World, server: Server, *, rounds: int, seconds: float) -> dict[str, list[EventRound]]:
    """Return the rounds of each way to send events."""
    done: dict[str, list[EventRound]] = {name: [] for name in ("one by one", "in batches of 100", "at half load")}
    for seed in range(rounds):
        done["one by one"].append(
            await whole(world, server, Till, connections=SINGLE_CONNECTIONS, seconds=seconds, seed=seed)
        )
        done["in batches of 100"].append(
            await whole(world, server, BatchTill, connections=BATCH_CONNECTIONS, seconds=seconds, seed=seed)
        )
    half = median(one.per_second for one in done["one by one"]) / 2
    for seed in range(rounds):
        done["at half load"].append(await paced(world, server, per_second=half, seconds=seconds, seed=seed))
    return done


def markdown(done: dict[str, list[EventRound]], bare: float) -> str:
    """Return the events as a Markdown table."""
    connections = {"in batches of 100": BATCH_CONNECTIONS}
    lines = ["| " + " | ".join(HEAD) + " |", "| --- |" + " ---: |" * (len(HEAD) - 1)]
    for name, rounds in done.items():
        rates = [one.per_second for one in rounds]
        cells = (
            name,
            str(connections.get(name, SINGLE_CONNECTIONS)),
            f"{median(rates):,.0f}",
            f"{min(rates):,.0f} to {max(rates):,.0f}",
            f"{median(one.latency.p50_ms for one in rounds):.1f}",
            f"{median(one.latency.p99_ms for one in rounds):.1f}",
            f"{median(one.server_cpu for one in rounds):.0%}",
            f"{median(one.server_us for one in rounds):,.0f}",
        )
        lines.append("| " + " | ".join(cells) + " |")
    lines.append(f"| bare insert_many of {BARE_BATCH}, no gateway | 1 | {bare:,.0f} |" + " |" * (len(HEAD) - 3))
    return "\n".join(lines) + "\n"
