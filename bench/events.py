"""Events in a second: one by one and in batches, how long one takes at half of the full load, and bare inserts."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from statistics import median
from typing import Any

from pymongo import ReplaceOne
from pymongo.asynchronous.client_session import AsyncClientSession

from bench.gateway import Member, Site
from bench.http import BenchError, Connection
from bench.load import Latency, data_of, run, together
from bench.load import Round as LoadRound
from bench.operations import BatchTill, Till
from bench.processes import usage
from bench.servers import Server
from bench.world import World
from models.commits.committer import GROUP_MAX, GROUPS_IN_FLIGHT
from models.mongo.ledger import record_id

SINGLE_CONNECTIONS, BATCH_CONNECTIONS = 64, 4
BARE_BATCH = 200
BARE_VERSION = 1_000_000
"""Past all versions that a member of a measuring has: the ledger takes each of a member once."""
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


async def bare_commits(world: World, places: Iterator[int], seconds: float) -> float:
    """Return how many purchases a second could be written if nothing had to be decided about them.

    What a full group of the committer reads and writes, as many groups at once as it has in flight, each on members of
    its own: the keys and the members are read, and of each member a purchase made before is written once more, with its
    event, its record in the ledger and the next version of its snapshot. `places` numbers the groups of all rounds.

    Raises:
        BenchError: there are too few members who have bought something.
    """
    database = world.database
    bought = await database.events.find({"purchase": {"$exists": True}}).to_list()
    events = list({event["member"]: event for event in bought}.values())[: GROUP_MAX * GROUPS_IN_FLIGHT]
    if len(events) < GROUP_MAX * GROUPS_IN_FLIGHT:
        raise BenchError(f"only {len(events)} members have bought something")
    records = {
        record["member"]: record
        async for record in database.entries.find(
            {"_id": {"$in": [record_id(event["member"], event["version"]) for event in events]}}
        )
    }
    written, started = 0, time.perf_counter()

    async def commit(group: list[dict[str, Any]]) -> None:
        nonlocal written
        place, ids = next(places), [event["member"] for event in group]
        keys = [f"bare/{place}/{member}" for member in ids]

        async def act(session: AsyncClientSession) -> None:
            await database.events.find({"_id": {"$in": keys}}, session=session).to_list()
            among = {"_id": {"$in": ids}}
            members = await database.members.find(among, batch_size=GROUP_MAX + 1, session=session).to_list()
            again = [{**event, "_id": key} for key, event in zip(keys, group, strict=True)]
            await database.events.insert_many(again, session=session)
            kept = [
                {**records[id_], "_id": key, "version": BARE_VERSION + place}
                for key, id_ in zip(keys, ids, strict=True)
            ]
            await database.entries.insert_many(kept, session=session)
            following = [{**member, "version": member["version"] + 1} for member in members]
            replaced = [ReplaceOne({"_id": one["_id"]}, one) for one in following]
            await database.members.bulk_write(replaced, session=session)

        await database.transact(act, seconds_max=seconds + 10)
        written += len(group)

    async def one_after_the_other(group: list[dict[str, Any]]) -> None:
        while time.perf_counter() - started < seconds:
            await commit(group)

    await together(*(one_after_the_other(events[start::GROUPS_IN_FLIGHT]) for start in range(GROUPS_IN_FLIGHT)))
    return written / (time.perf_counter() - started)


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


async def measure_bare(world: World, *, rounds: int, seconds: float) -> dict[str, list[float]]:
    """Return the rates of what MongoDB does without a gateway, by what it is; the last thing to be measured."""
    done: dict[str, list[float]] = {"what a purchase writes, nothing decided": [], "bare insert_many": []}
    places = count()
    for _ in range(rounds):
        done["what a purchase writes, nothing decided"].append(await bare_commits(world, places, seconds))
        done["bare insert_many"].append(await bare_inserts(world, seconds))
    return done


def markdown(done: dict[str, list[EventRound]], bare: dict[str, list[float]]) -> str:
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
    for name, told in bare.items():
        cells = (name, "", f"{median(told):,.0f}", f"{min(told):,.0f} to {max(told):,.0f}", *[""] * (len(HEAD) - 4))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
