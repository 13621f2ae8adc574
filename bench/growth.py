"""`python -m bench.growth`: what a request and an event cost with 1,000 members, and with a thousand times as many.

Each size has a database of its own on one mongod, and a gateway of its own; the sizes are measured in turn, round by
round. Members beyond LEDGERS have their snapshot and their number, but no ledger: nothing that is measured reads it,
and a million ledgers are 26 GB.
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

from bench.events import SINGLE_CONNECTIONS, EventRound, whole
from bench.measure import COLD, WARM, Bench, Load, Round
from bench.members import PROTOTYPES
from bench.operations import BatchTill, Till
from bench.processes import Stolen, run_bench, usage
from bench.report import RESULTS, machine_of
from bench.servers import CARILLON_KEY, Server, running
from bench.world import World, another, running_world
from bench.wrk import require_wrk

SIZES = (1_000, 10_000, 100_000, 1_000_000)
LEDGERS = 20_000
COLD_MAX = 50_000
CONNECTIONS, BATCH_CONNECTIONS = 16, 4
LOADS = (Load("home", WARM, CONNECTIONS), Load("home", COLD, CONNECTIONS), Load("kiosk", COLD, CONNECTIONS))
MIB = 2**20
NOTHING_KEPT = {"CARILLON_ANSWERS_BYTES": "0", "CARILLON_TOKENS_SECONDS": "0"}
EVENTS = (("single events", Till, SINGLE_CONNECTIONS), ("events in batches", BatchTill, BATCH_CONNECTIONS))


@dataclass(frozen=True, slots=True)
class Figure:
    """What is counted per second, p99 in milliseconds, and the gateway's CPU time for one in microseconds."""

    per_second: float
    p99_ms: float
    server_us: float


@dataclass(frozen=True, slots=True)
class Site:
    """So many members in a database of their own, and the gateways that serve them. Memory and disk in MiB.

    `cold` keeps no answers and no tokens: a thousand members are asked for again before a round is over, a million are
    not.
    `made_seconds` is how long inserting took; `mongod_mib` and `disk_mib` are of all databases up to this one.
    """

    members: int
    world: World
    server: Server
    bench: Bench
    cold: Bench
    cold_server: Server
    made_seconds: float
    mongod_mib: float
    disk_mib: float


@dataclass(frozen=True, slots=True)
class Size:
    """What was measured with so many members; memory and disk in MiB."""

    members: int
    made_seconds: float
    disk_mib: float
    gateway_mib: float
    mongod_mib: float
    figures: dict[str, Figure]


def arguments() -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m bench.growth", description=__doc__)
    parser.add_argument("--most", type=int, default=SIZES[-1], help="the greatest number of members (1,000,000)")
    parser.add_argument("--seconds", type=int, default=5, help="seconds of each load in a round (5)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds (3)")
    parser.add_argument("--prototypes", type=int, default=PROTOTYPES, help="members made by the real code (200)")
    parser.add_argument("--cache-gib", type=float, default=1.0, help="mongod's own cache in GiB (1)")
    parser.add_argument("--gateway-args", default="", help="added to Carillon's command line")
    return parser.parse_args()


async def _site(base: World, members: int, asked: argparse.Namespace, stack: AsyncExitStack) -> Site:
    """Make so many members, and start a gateway for them."""
    world = await stack.enter_async_context(another(base, f"carillon_{members}"))
    made_seconds = await world.grow(members, with_ledger=LEDGERS)
    mongod_mib, disk_mib = usage(world.mongod_pid).rss_mib, await asyncio.to_thread(_disk_mib, world.place)
    servers = [
        await stack.enter_async_context(
            running(world, CARILLON_KEY, gateway_args=asked.gateway_args.split(), settings=settings)
        )
        for settings in ({}, NOTHING_KEPT)
    ]
    bench, cold = (Bench(world, {CARILLON_KEY: server}, seconds=asked.seconds, cold_max=COLD_MAX) for server in servers)
    print(f"{members:,} members made in {made_seconds:.0f} s", file=sys.stderr)
    return Site(members, world, servers[0], bench, cold, servers[1], made_seconds, mongod_mib, disk_mib)


async def _reads(sites: Sequence[Site], rounds: int) -> dict[int, dict[str, Figure]]:
    """Measure the reads, size by size in each round, so that a bad moment touches all sizes alike."""
    figures: dict[int, dict[str, Figure]] = {site.members: {} for site in sites}
    for load in LOADS:
        of = {
            site.members: (site.cold, site.cold_server) if load.choice == COLD else (site.bench, site.server)
            for site in sites
        }
        for bench, _ in of.values():
            await bench.begin(load)
        done: dict[int, list[Round]] = {site.members: [] for site in sites}
        for number in range(rounds):
            for site in sites:
                which = f"{number + 1}/{rounds} with {site.members:,} members"
                bench, server = of[site.members]
                done[site.members].append(await bench.round(load, server, which))
        for members, each in done.items():
            figures[members][load.name] = Figure(
                median(one.per_second for one in each),
                median(one.p99_ms for one in each),
                median(one.server_us for one in each),
            )
    return figures


async def _events(sites: Sequence[Site], rounds: int, seconds: float) -> dict[int, dict[str, Figure]]:
    figures: dict[int, dict[str, Figure]] = {site.members: {} for site in sites}
    for name, make, connections in EVENTS:
        done: dict[int, list[EventRound]] = {site.members: [] for site in sites}
        for seed in range(rounds):
            for site in sites:
                one = await whole(site.world, site.server, make, connections=connections, seconds=seconds, seed=seed)
                print(f"{name} with {site.members:,} members: {one.per_second:,.0f}/s", file=sys.stderr)
                done[site.members].append(one)
        for members, each in done.items():
            figures[members][name] = Figure(
                median(one.per_second for one in each),
                median(one.latency.p99_ms for one in each),
                median(one.server_us for one in each),
            )
    return figures


async def _measure(base: World, asked: argparse.Namespace) -> list[Size]:
    async with AsyncExitStack() as stack:
        sites = [await _site(base, size, asked, stack) for size in SIZES if size <= asked.most]
        reads = await _reads(sites, asked.rounds)
        events = await _events(sites, asked.rounds, asked.seconds)
        return [
            Size(
                site.members,
                site.made_seconds,
                site.disk_mib,
                site.server.usage().rss_mib,
                site.mongod_mib,
                {**reads[site.members], **events[site.members]},
            )
            for site in sites
        ]


def _disk_mib(place: Path) -> float:
    return sum(file.stat().st_blocks * 512 for file in place.rglob("*") if file.is_file()) / MIB


def markdown(sizes: Sequence[Size], described: dict[str, str]) -> str:
    """Return the growth as Markdown: each figure, and in brackets how many times that of the first size it is."""
    names, first = [*sizes[0].figures], sizes[0]
    head = ["members", *(f"{name}, per second" for name in names), *(f"{name}, us CPU" for name in names)]
    head += ["gateway MiB", "mongod so far MiB", "disk so far MiB", "made in s"]
    lines = ["| " + " | ".join(head) + " |", "|" + " ---: |" * len(head)]
    for size in sizes:
        cells = [f"{size.members:,}"]
        for figure in ("per_second", "server_us"):
            for name in names:
                value, base = getattr(size.figures[name], figure), getattr(first.figures[name], figure)
                cells.append(f"{value:,.0f}" + (f" ({value / base:.2f})" if size is not first else ""))
        cells += [f"{value:,.0f}" for value in (size.gateway_mib, size.mongod_mib, size.disk_mib, size.made_seconds)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", *(f"- {name}: {value}" for name, value in described.items())]) + "\n"


async def growth(asked: argparse.Namespace) -> None:
    """Measure at each size, and report."""
    require_wrk()
    async with running_world(0, usual=asked.prototypes, cache_gib=asked.cache_gib) as world:
        watch, described = Stolen(), await machine_of(world.database)
        sizes = await _measure(world, asked)
        described["mongod's cache"] = f"{asked.cache_gib} GiB"
        described["CPU time that the host took away"] = f"{watch.share():.0%}"
    text = markdown(sizes, described)
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"growth-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    record = {"machine": described, "sizes": [asdict(size) for size in sizes]}
    file.with_suffix(".md").write_text(text, encoding="utf-8")
    file.with_suffix(".json").write_bytes(orjson.dumps(record, option=orjson.OPT_INDENT_2) + b"\n")
    print(text, end="")


def main() -> int:
    """Return 0, or 1 where an answer was wrong."""
    asked = arguments()
    if asked.most < SIZES[0]:
        print(f"bench: --most is at least {SIZES[0]}", file=sys.stderr)
        return 2
    return run_bench(growth(asked))


if __name__ == "__main__":
    sys.exit(main())
