"""`python -m bench.peers`: compare Carillon with its peers; writes table, JSON and plots to bench/results/."""

import argparse
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

from bench.loads import events
from bench.loads.comparison import description, markdown, write
from bench.loads.measure import COLD, TURNS, WARM, Bench, Load, Measured
from bench.loads.members import PROTOTYPES
from bench.loads.mixed import MIXED, ZIPF
from bench.loads.reads import READS
from bench.loads.wrk import require_wrk
from bench.processes import StealTime, run_bench
from bench.report import machine_of
from bench.servers import CARILLON_KEY, KINDS, running
from bench.world import MEMBERS, PEERS_MEMBERS, World, running_world, write_peers_collections

EVENTS = "events"
PARTS = (*READS, MIXED, EVENTS)


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def _some_of(*known: str) -> Callable[[str], list[str]]:
    def names(text: str) -> list[str]:
        chosen = text.split(",")
        if not set(known) >= set(chosen):
            raise argparse.ArgumentTypeError(f"choose from {','.join(known)}")
        return chosen

    return names


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description=__doc__)
    parser.add_argument("--seconds", type=int, default=5, help="seconds of each load on each server in a round (5)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds (5)")
    parser.add_argument("--members", type=int, default=20_000, help="members (20,000)")
    parser.add_argument("--prototypes", type=int, default=PROTOTYPES, help="members that the real code creates (200)")
    parser.add_argument("--connections", type=_numbers, default=[1, 16, 128], help="concurrent connections (1,16,128)")
    parser.add_argument("--only", type=_some_of(*PARTS), default=[*PARTS], help=f"some of {','.join(PARTS)}")
    parser.add_argument("--choices", type=_some_of(WARM, COLD), default=[WARM, COLD], help="some of warm,cold")
    parser.add_argument("--servers", type=_some_of(*KINDS), default=[*KINDS], help=f"some of {','.join(KINDS)}")
    parser.add_argument("--turns", type=int, default=TURNS, help="requests of the mixed load for each server (60,000)")
    parser.add_argument(
        "--gateway-args", default="", help="arguments to append to Carillon's command line, such as '--workers 2'"
    )
    return parser.parse_args()


def loads(options: argparse.Namespace) -> list[Load]:
    """Return the requested loads; the catalogue is the same for all members, so it has no cold load."""
    return [
        Load(read, choice, connections)
        for read in options.only
        if read in READS
        for choice in options.choices
        for connections in options.connections
        if not (read == "catalogue" and choice == COLD)
    ]


async def _compare(world: World, options: argparse.Namespace, some: list[Load], *, members: str) -> list[Measured]:
    """Measure some loads on the servers that support any of them."""
    keys = [key for key in options.servers if not KINDS[key].loads or KINDS[key].loads & {load.read for load in some}]
    async with AsyncExitStack() as stack:
        args = options.gateway_args.split()
        servers = {
            key: await stack.enter_async_context(running(world, key, members=members, gateway_args=args))
            for key in keys
        }
        bench = Bench(world, servers, seconds=options.seconds, cold_max=options.members, turns=options.turns)
        return await bench.run(some, options.rounds)


async def bench(options: argparse.Namespace) -> None:
    """Start the servers, measure them, and write the report."""
    require_wrk()
    measured: list[Measured] = []
    events_table, event_rounds = "", dict[str, Any]()
    async with running_world(options.members, usual=options.prototypes) as world:
        print(f"{len(world.members)} members inserted", file=sys.stderr)
        await write_peers_collections(world)
        watch, described = StealTime(), await machine_of(world.database)
        if some := loads(options):
            measured += await _compare(world, options, some, members=MEMBERS)
        if MIXED in options.only:
            some = [Load(MIXED, ZIPF, connections) for connections in options.connections]
            measured += await _compare(world, options, some, members=PEERS_MEMBERS)
        if EVENTS in options.only:
            start = partial(running, world, CARILLON_KEY, gateway_args=options.gateway_args.split())
            done = await events.measure(world, start, rounds=options.rounds, seconds=options.seconds)
            events_table, event_rounds = events.markdown(done), done.record()
        described["steal (CPU time taken by the host)"] = f"{watch.share():.0%}"
    settings = {name: getattr(options, name) for name in ("seconds", "rounds", "members", "prototypes")}
    text = "\n".join(part for part in (markdown(measured), events_table, description(described, settings)) if part)
    write(text, measured, described, settings, event_rounds)
    print(text, end="")


def main() -> int:
    """Return 0, or 1 if an answer was wrong."""
    return run_bench(bench(arguments()))


if __name__ == "__main__":
    sys.exit(main())
