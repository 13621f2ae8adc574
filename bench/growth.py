"""`python -m bench.growth`: the cost of a request and of an event with 1,000 to 1,000,000 members.

Each size has its own database on one mongod and its own gateways; the sizes are measured in turn, round by round.
Members beyond LEDGERS have a snapshot and a number, but no ledger: no measured load reads it, and a million ledgers
take 26 GB.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import orjson

from bench.loads.events import SINGLE_CONNECTIONS, full_load
from bench.loads.load import Round as EventRound
from bench.loads.measure import COLD, WARM, Bench, Load, Round
from bench.loads.members import PROTOTYPES
from bench.loads.wrk import require_wrk
from bench.operations import BatchTill, Till
from bench.processes import StealTime, run_bench, usage
from bench.report import RESULTS, machine_of
from bench.servers import CARILLON_KEY, Server, running
from bench.world import World, new_database, running_world

SIZES = (1_000, 10_000, 100_000, 1_000_000)
LEDGERS = 20_000
COLD_MAX = 50_000
CONNECTIONS, BATCH_CONNECTIONS = 16, 4
LOADS = (Load("home", WARM, CONNECTIONS), Load("home", COLD, CONNECTIONS), Load("kiosk", COLD, CONNECTIONS))
MIB = 2**20
CACHES_OFF = {"CARILLON_ANSWERS_BYTES": "0", "CARILLON_TOKENS_SECONDS": "0"}
EVENTS = (("single events", Till, SINGLE_CONNECTIONS), ("events in batches", BatchTill, BATCH_CONNECTIONS))


@dataclass(frozen=True, slots=True)
class Figure:
    """Items per second, p99 in milliseconds, CPU time per item of the gateway and of mongod in microseconds."""

    per_second: float
    p99_ms: float
    server_us: float
    mongod_us: float


@dataclass(frozen=True, slots=True)
class Site:
    """A database of `members` members, and the two gateways that serve it. Memory and disk in MiB.

    `cold` has no response cache and no token cache: a round requests each of a thousand members several times, and each
    of a million at most once.
    `insert_seconds` is the time that inserting took; `mongod_mib` and `disk_mib` include all databases up to this one.
    """

    members: int
    world: World
    server: Server
    bench: Bench
    cold: Bench
    cold_server: Server
    insert_seconds: float
    mongod_mib: float
    disk_mib: float


@dataclass(frozen=True, slots=True)
class Size:
    """The figures of one number of members; memory and disk in MiB."""

    members: int
    insert_seconds: float
    disk_mib: float
    gateway_mib: float
    mongod_mib: float
    figures: dict[str, Figure]


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.growth", description=__doc__)
    parser.add_argument("--members-max", type=int, default=SIZES[-1], help="largest number of members (1,000,000)")
    parser.add_argument("--seconds", type=int, default=5, help="seconds of each load in a round (5)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds (3)")
    parser.add_argument("--prototypes", type=int, default=PROTOTYPES, help="members that the real code creates (200)")
    parser.add_argument("--cache-gib", type=float, default=1.0, help="mongod's cache in GiB (1)")
    parser.add_argument("--gateway-args", default="", help="arguments to append to Carillon's command line")
    return parser.parse_args()


async def _site(base: World, members: int, options: argparse.Namespace, stack: AsyncExitStack) -> Site:
    """Create `members` members, and start the gateways for them."""
    world = await stack.enter_async_context(new_database(base, f"carillon_{members}"))
    insert_seconds = await world.grow(members, with_ledger=LEDGERS)
    mongod_mib, disk_mib = usage(world.mongod_pid).rss_mib, await asyncio.to_thread(_disk_mib, world.directory)
    servers = [
        await stack.enter_async_context(
            running(world, CARILLON_KEY, gateway_args=options.gateway_args.split(), settings=settings)
        )
        for settings in ({}, CACHES_OFF)
    ]
    bench, cold = (
        Bench(world, {CARILLON_KEY: server}, seconds=options.seconds, cold_max=COLD_MAX) for server in servers
    )
    print(f"{members:,} members inserted in {insert_seconds:.0f} s", file=sys.stderr)
    return Site(members, world, servers[0], bench, cold, servers[1], insert_seconds, mongod_mib, disk_mib)


async def _reads(sites: Sequence[Site], rounds: int) -> dict[int, dict[str, Figure]]:
    """Measure the reads, size by size in each round, so that a slow moment affects all sizes alike."""
    figures: dict[int, dict[str, Figure]] = {site.members: {} for site in sites}
    for load in LOADS:
        gateways = {
            site.members: (site.cold, site.cold_server) if load.choice == COLD else (site.bench, site.server)
            for site in sites
        }
        for bench, _ in gateways.values():
            await bench.begin(load)
        done: dict[int, list[Round]] = {site.members: [] for site in sites}
        for number in range(rounds):
            for site in sites:
                which = f"{number + 1}/{rounds} with {site.members:,} members"
                bench, server = gateways[site.members]
                done[site.members].append(await bench.round(load, server, which))
        for members, each in done.items():
            figures[members][load.name] = Figure(
                median(one.per_second for one in each),
                median(one.p99_ms for one in each),
                median(one.server_us for one in each),
                median(one.mongod_us for one in each),
            )
    return figures


async def _events(sites: Sequence[Site], rounds: int, seconds: float) -> dict[int, dict[str, Figure]]:
    figures: dict[int, dict[str, Figure]] = {site.members: {} for site in sites}
    for name, make, connections in EVENTS:
        done: dict[int, list[EventRound]] = {site.members: [] for site in sites}
        for seed in range(rounds):
            for site in sites:
                one = await full_load(
                    site.world, site.server, make, connections=connections, seconds=seconds, seed=seed
                )
                print(f"{name} with {site.members:,} members: {one.per_second:,.0f}/s", file=sys.stderr)
                done[site.members].append(one)
        for members, each in done.items():
            figures[members][name] = Figure(
                median(one.per_second for one in each),
                median(one.latency.p99_ms for one in each),
                median(one.gateway_us for one in each),
                median(one.mongod_us for one in each),
            )
    return figures


async def _measure(base: World, options: argparse.Namespace) -> list[Size]:
    async with AsyncExitStack() as stack:
        sites = [await _site(base, size, options, stack) for size in SIZES if size <= options.members_max]
        reads = await _reads(sites, options.rounds)
        events = await _events(sites, options.rounds, options.seconds)
        return [
            Size(
                site.members,
                site.insert_seconds,
                site.disk_mib,
                site.server.usage().rss_mib,
                site.mongod_mib,
                {**reads[site.members], **events[site.members]},
            )
            for site in sites
        ]


def _disk_mib(directory: Path) -> float:
    return sum(file.stat().st_blocks * 512 for file in directory.rglob("*") if file.is_file()) / MIB


def markdown(sizes: Sequence[Size], described: dict[str, str]) -> str:
    """Return the Markdown table: each figure, and in brackets its ratio to that of the first size."""
    names, first = [*sizes[0].figures], sizes[0]
    head = ["members", *(f"{name}, per second" for name in names), *(f"{name}, gateway us CPU" for name in names)]
    head += [f"{name}, mongod us CPU" for name in names]
    head += ["gateway MiB", "mongod MiB, cumulative", "disk MiB, cumulative", "insert seconds"]
    lines = ["| " + " | ".join(head) + " |", "|" + " ---: |" * len(head)]
    for size in sizes:
        cells = [f"{size.members:,}"]
        for figure in ("per_second", "server_us", "mongod_us"):
            for name in names:
                value, base = getattr(size.figures[name], figure), getattr(first.figures[name], figure)
                cells.append(f"{value:,.0f}" + (f" ({value / base:.2f})" if size is not first else ""))
        cells += [f"{value:,.0f}" for value in (size.gateway_mib, size.mongod_mib, size.disk_mib, size.insert_seconds)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", *(f"- {name}: {value}" for name, value in described.items())]) + "\n"


async def growth(options: argparse.Namespace) -> None:
    """Measure each size, and write the report."""
    require_wrk()
    async with running_world(0, usual=options.prototypes, cache_gib=options.cache_gib) as world:
        watch, described = StealTime(), await machine_of(world.database)
        sizes = await _measure(world, options)
        described["mongod cache"] = f"{options.cache_gib} GiB"
        described["steal (CPU time taken by the host)"] = f"{watch.share():.0%}"
    text = markdown(sizes, described)
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"growth-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    record = {"machine": described, "sizes": [asdict(size) for size in sizes]}
    file.with_suffix(".md").write_text(text, encoding="utf-8")
    file.with_suffix(".json").write_bytes(orjson.dumps(record, option=orjson.OPT_INDENT_2) + b"\n")
    print(text, end="")


def main() -> int:
    """Return 0, 1 if an answer was wrong, or 2 for a wrong argument."""
    options = arguments()
    if options.members_max < SIZES[0]:
        print(f"bench: --members-max must be at least {SIZES[0]}", file=sys.stderr)
        return 2
    return run_bench(growth(options))


if __name__ == "__main__":
    sys.exit(main())
