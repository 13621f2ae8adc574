"""`python -m bench.peers`: Carillon and its peers on the same members; table, JSON and plots go to bench/results/."""

import argparse
import sys
from contextlib import AsyncExitStack
from dataclasses import asdict
from typing import Any

from bench import events
from bench.comparison import markdown, write
from bench.measure import COLD, TURNS, WARM, Bench, Load, Measured
from bench.members import PROTOTYPES
from bench.mixed import MIXED, ZIPF
from bench.processes import StealTime, run_bench
from bench.reads import READS
from bench.report import machine_of
from bench.servers import CARILLON_KEY, KINDS, running
from bench.world import MEMBERS, PEERS_MEMBERS, World, running_world, write_peers_collections
from bench.wrk import require_wrk

EVENTS = "events"
PARTS = (*READS, MIXED, EVENTS)


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def _some_of(*known: str):  # noqa: ANN202 - argparse's own kind of callable
    def names(text: str) -> list[str]:
        asked = text.split(",")
        if not set(known) >= set(asked):
            raise argparse.ArgumentTypeError(f"choose from {','.join(known)}")
        return asked

    return names


def arguments() -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description=__doc__)
    parser.add_argument("--seconds", type=int, default=5, help="seconds of each load on each server in a round (5)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds (5)")
    parser.add_argument("--members", type=int, default=20_000, help="members (20,000)")
    parser.add_argument("--prototypes", type=int, default=PROTOTYPES, help="members made by the real code (200)")
    parser.add_argument("--connections", type=_numbers, default=[1, 16, 128], help="connections at once (1,16,128)")
    parser.add_argument("--only", type=_some_of(*PARTS), default=[*PARTS], help=f"some of {','.join(PARTS)}")
    parser.add_argument("--choices", type=_some_of(WARM, COLD), default=[WARM, COLD], help="some of warm,cold")
    parser.add_argument("--servers", type=_some_of(*KINDS), default=[*KINDS], help=f"some of {','.join(KINDS)}")
    parser.add_argument("--turns", type=int, default=TURNS, help="requests of the mixed load for each server (60,000)")
    parser.add_argument("--gateway-args", default="", help="added to Carillon's command line, such as '--workers 2'")
    return parser.parse_args()


def loads(asked: argparse.Namespace) -> list[Load]:
    """Return the loads that are asked for; the catalogue is the same for everybody, so never cold."""
    return [
        Load(read, choice, connections)
        for read in asked.only
        if read in READS
        for choice in asked.choices
        for connections in asked.connections
        if not (read == "catalogue" and choice == COLD)
    ]


async def _compare(world: World, asked: argparse.Namespace, some: list[Load], *, members: str) -> list[Measured]:
    """Measure some loads on the servers that can answer any of them."""
    keys = [key for key in asked.servers if not KINDS[key].loads or KINDS[key].loads & {load.read for load in some}]
    async with AsyncExitStack() as stack:
        args = asked.gateway_args.split()
        servers = {
            key: await stack.enter_async_context(running(world, key, members=members, gateway_args=args))
            for key in keys
        }
        bench = Bench(world, servers, seconds=asked.seconds, cold_max=asked.members, turns=asked.turns)
        return await bench.run(some, asked.rounds)


async def bench(asked: argparse.Namespace) -> None:
    """Start everything, measure, and report."""
    require_wrk()
    measured: list[Measured] = []
    told, counted = "", dict[str, Any]()
    async with running_world(asked.members, usual=asked.prototypes) as world:
        print(f"{len(world.members)} members are there", file=sys.stderr)
        await write_peers_collections(world)
        watch, described = StealTime(), await machine_of(world.database)
        if some := loads(asked):
            measured += await _compare(world, asked, some, members=MEMBERS)
        if MIXED in asked.only:
            some = [Load(MIXED, ZIPF, connections) for connections in asked.connections]
            measured += await _compare(world, asked, some, members=PEERS_MEMBERS)
        if EVENTS in asked.only:
            async with running(world, CARILLON_KEY, gateway_args=asked.gateway_args.split()) as server:
                done = await events.measure(world, server, rounds=asked.rounds, seconds=asked.seconds)
            bare = await events.measure_bare(world, rounds=asked.rounds, seconds=asked.seconds)
            told = events.markdown(done, bare)
            counted = {**{name: [asdict(one) for one in rounds] for name, rounds in done.items()}, "bare": bare}
        described["CPU time that the host took away"] = f"{watch.share():.0%}"
    settings = {name: getattr(asked, name) for name in ("seconds", "rounds", "members", "prototypes")}
    text = (told if not measured else markdown(measured, described, settings) + "\n" + told).rstrip() + "\n"
    write(text, measured, described, settings, counted)
    print(text, end="")


def main() -> int:
    """Return 0, or 1 where an answer was wrong."""
    return run_bench(bench(arguments()))


if __name__ == "__main__":
    sys.exit(main())
