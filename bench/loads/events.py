"""Events per second: one by one, in batches, at half load for latency, and bare inserts for comparison."""

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
from bench.loads.load import Latency, data_of, run, together
from bench.loads.load import Round as LoadRound
from bench.operations import BatchTill, Till
from bench.processes import usage
from bench.servers import Server
from bench.world import World
from models.commits.committer import GROUP_MAX, GROUPS_IN_FLIGHT
from models.mongo.ledger import record_id

SINGLE_CONNECTIONS, BATCH_CONNECTIONS = 64, 4
BARE_BATCH = 200
BARE_VERSION = 1_000_000
"""Above every version that a member reaches in a run: the ledger accepts each version of a member once."""
MEMBERS_MAX = 5_000
BARE_COMMITS = "database work of a purchase, no decisions, no gateway"
BARE_INSERTS = "bare insert_many, no gateway"
HEAD = ("events", "connections", "per second", "min to max", "p50 ms", "p99 ms", "gateway CPU", "us CPU each")


@dataclass(frozen=True, slots=True)
class EventRound:
    """One round: events per second, latency of a request, the gateway's CPU (share of a core, us per event)."""

    per_second: float
    latency: Latency
    server_cpu: float
    server_us: float


def site_of(world: World, server: Server) -> Site:
    """Return a server as the site that loads run on, with up to MEMBERS_MAX members."""
    members = tuple(Member(one.number, "") for one in world.members[:MEMBERS_MAX])
    return Site("127.0.0.1", server.port, server.pid, world.key, world.database, members)


async def full_load(
    world: World, server: Server, make: type[Till], *, connections: int, seconds: float, seed: int
) -> EventRound:
    """Run a load of events as fast as the gateway responds."""
    site = site_of(world, server)
    one: LoadRound = await run(site, make(site, seed), connections=connections, seconds=seconds)
    return EventRound(one.per_second, one.latency, one.gateway_cpu, one.gateway_cpu / one.per_second * 1e6)


async def paced(world: World, server: Server, *, per_second: float, seconds: float, seed: int) -> EventRound:
    """Send single events at a steady rate; latency counts from the scheduled send time.

    So latency includes waiting for a free connection.
    """
    site, schedule = site_of(world, server), count()
    till = Till(site, seed)
    opened = [await Connection.open(site.host, site.port) for _ in range(SINGLE_CONNECTIONS)]
    latencies: list[float] = []
    started = time.perf_counter()
    before = usage(server.pid)

    async def drive(connection: Connection) -> None:
        while (moment := started + next(schedule) / per_second) < started + seconds:
            await asyncio.sleep(max(0.0, moment - time.perf_counter()))
            request = till.next_request()
            status, body = await connection.send(request.wire)
            latencies.append(time.perf_counter() - moment)
            request.check(data_of(status, body))

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
    """Return the event documents per second that mongod inserts with insert_many, one batch after the other."""
    collection = world.database.db["bench_bare"]
    document = await world.database.events.find_one({})
    template: dict[str, Any] = {**(document or {}), "_id": None}
    numbers, inserted, started = count(), 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        await collection.insert_many([{**template, "_id": f"bare-{next(numbers)}"} for _ in range(BARE_BATCH)])
        inserted += BARE_BATCH
    taken = time.perf_counter() - started
    await collection.drop()
    return inserted / taken


async def bare_commits(world: World, numbers: Iterator[int], seconds: float) -> float:
    """Return the purchases per second that mongod writes if no decisions are made.

    Reads and writes what full groups of the committer do, as many groups at once as it has in flight, each on its own
    members: reads the keys and the members, and writes an earlier purchase of each member once more, with its event,
    its ledger record and the next version of its snapshot. `numbers` numbers the groups of all rounds.

    Raises:
        BenchError: too few members have purchases.
    """
    database = world.database
    purchases = await database.events.find({"purchase": {"$exists": True}}).to_list()
    events = list({event["member"]: event for event in purchases}.values())[: GROUP_MAX * GROUPS_IN_FLIGHT]
    if len(events) < GROUP_MAX * GROUPS_IN_FLIGHT:
        raise BenchError(f"only {len(events)} members have purchases, not {GROUP_MAX * GROUPS_IN_FLIGHT}")
    records = {
        record["member"]: record
        async for record in database.records.find(
            {"_id": {"$in": [record_id(event["member"], event["version"]) for event in events]}}
        )
    }
    written, started = 0, time.perf_counter()

    async def commit(group: list[dict[str, Any]]) -> None:
        nonlocal written
        number, ids = next(numbers), [event["member"] for event in group]
        keys = [f"bare/{number}/{member}" for member in ids]

        async def act(session: AsyncClientSession) -> None:
            await database.events.find({"_id": {"$in": keys}}, session=session).to_list()
            by_id = {"_id": {"$in": ids}}
            members = await database.members.find(by_id, batch_size=GROUP_MAX + 1, session=session).to_list()
            repeated = [{**event, "_id": key} for key, event in zip(keys, group, strict=True)]
            await database.events.insert_many(repeated, session=session)
            next_records = [
                {**records[id_], "_id": key, "version": BARE_VERSION + number}
                for key, id_ in zip(keys, ids, strict=True)
            ]
            await database.records.insert_many(next_records, session=session)
            next_versions = [{**member, "version": member["version"] + 1} for member in members]
            replaced = [ReplaceOne({"_id": one["_id"]}, one) for one in next_versions]
            await database.members.bulk_write(replaced, session=session)

        await database.transact(act, seconds_max=seconds + 10)
        written += len(group)

    async def commit_repeatedly(group: list[dict[str, Any]]) -> None:
        while time.perf_counter() - started < seconds:
            await commit(group)

    await together(*(commit_repeatedly(events[start::GROUPS_IN_FLIGHT]) for start in range(GROUPS_IN_FLIGHT)))
    return written / (time.perf_counter() - started)


async def measure(world: World, server: Server, *, rounds: int, seconds: float) -> dict[str, list[EventRound]]:
    """Return the rounds of each event load, by its name."""
    done: dict[str, list[EventRound]] = {
        name: [] for name in ("one by one", "in batches of 100", "one by one, at half load")
    }
    for seed in range(rounds):
        done["one by one"].append(
            await full_load(world, server, Till, connections=SINGLE_CONNECTIONS, seconds=seconds, seed=seed)
        )
        done["in batches of 100"].append(
            await full_load(world, server, BatchTill, connections=BATCH_CONNECTIONS, seconds=seconds, seed=seed)
        )
    half = median(one.per_second for one in done["one by one"]) / 2
    for seed in range(rounds):
        done["one by one, at half load"].append(await paced(world, server, per_second=half, seconds=seconds, seed=seed))
    return done


async def measure_bare(world: World, *, rounds: int, seconds: float) -> dict[str, list[float]]:
    """Return the rates of MongoDB without a gateway, by name. Run it last: it changes members."""
    done: dict[str, list[float]] = {BARE_COMMITS: [], BARE_INSERTS: []}
    numbers = count()
    for _ in range(rounds):
        done[BARE_COMMITS].append(await bare_commits(world, numbers, seconds))
        done[BARE_INSERTS].append(await bare_inserts(world, seconds))
    return done


def markdown(done: dict[str, list[EventRound]], bare: dict[str, list[float]]) -> str:
    """Return the Markdown table of events."""
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
    for name, rates in bare.items():
        bare_cells = [name, "", f"{median(rates):,.0f}", f"{min(rates):,.0f} to {max(rates):,.0f}"]
        lines.append("| " + " | ".join([*bare_cells, *[""] * (len(HEAD) - 4)]) + " |")
    return "\n".join(lines) + "\n"
