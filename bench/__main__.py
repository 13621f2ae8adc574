"""`python -m bench`: start a gateway and measure it; writes the table to standard output and to bench/results/."""

import argparse
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from bench.gateway import Site, running_gateway
from bench.live.__main__ import run_live
from bench.loads.load import Load, Round, run
from bench.operations import BatchTill, Till, home, kiosk
from bench.processes import run_bench
from bench.report import Measured, machine, markdown, write

Measure = Callable[..., Awaitable[Round]]


async def _run(
    make: Callable[[Site, int], Load], site: Site, *, connections: int, seconds: float, sockets: int, seed: int
) -> Round:
    del sockets
    return await run(site, make(site, seed), connections=connections, seconds=seconds)


@dataclass(frozen=True, slots=True)
class Kind:
    """A load, the unit that it counts, and the number of connections beyond which it is pointless."""

    unit: str
    run: Measure
    connections_max: int | None = None


LOADS = {
    "home": Kind("queries", partial(_run, home)),
    "kiosk": Kind("queries", partial(_run, kiosk)),
    "events": Kind("events", partial(_run, Till)),
    # More concurrent batches only queue behind each other, until they time out.
    "batch": Kind("events", partial(_run, BatchTill), connections_max=4),
    "live": Kind("deliveries", run_live),
}


def _numbers(text: str) -> list[int]:
    numbers = [int(part) for part in text.split(",")]
    if min(numbers) < 1:
        raise ValueError
    return numbers


def _names(text: str) -> list[str]:
    names = text.split(",")
    if not LOADS.keys() >= set(names):
        raise argparse.ArgumentTypeError(f"choose from {','.join(LOADS)}")
    return names


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--seconds", type=float, default=2, help="seconds of each load in a round (2)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds; every load runs in each (3)")
    parser.add_argument("--connections", type=_numbers, default=[1, 16], help="concurrent connections (1,16)")
    parser.add_argument("--members", type=int, default=100, help="members with a year of real baskets (100)")
    parser.add_argument("--sockets", type=int, default=1000, help="sockets of the live load (1000)")
    parser.add_argument("--only", type=_names, default=[*LOADS], help=f"some of {','.join(LOADS)}")
    options = parser.parse_args()
    if options.seconds <= 0 or min(options.rounds, options.members, options.sockets) < 1:
        parser.error("seconds, rounds, members and sockets must be greater than 0")
    return options


async def measure(site: Site, options: argparse.Namespace) -> list[Measured]:
    """Run every load in each round, so that a slow moment of the machine affects all loads alike."""
    rounds: dict[tuple[str, int], list[Round]] = {
        (name, min(n, LOADS[name].connections_max or n)): [] for name in options.only for n in options.connections
    }
    for number in range(options.rounds):
        for (name, connections), done in rounds.items():
            one = await LOADS[name].run(
                site, connections=connections, seconds=options.seconds, sockets=options.sockets, seed=number
            )
            done.append(one)
            rate = f"{name} on {connections}: {one.per_second:,.0f} {LOADS[name].unit}/s"
            cpu = f"us CPU gateway {one.gateway_us:,.0f} mongod {one.mongod_us:,.0f}"
            print(f"round {number + 1}/{options.rounds}  {rate}, {cpu}", file=sys.stderr)
    return [Measured(name, LOADS[name].unit, n, done) for (name, n), done in rounds.items()]


async def bench(options: argparse.Namespace) -> None:
    """Start a gateway, measure it, and report."""
    settings: dict[str, Any] = {name: getattr(options, name) for name in ("seconds", "rounds", "members", "sockets")}
    async with running_gateway(options.members) as site:
        print(f"gateway with {options.members} members: process {site.pid}", file=sys.stderr)
        described = await machine(site)
        measured = await measure(site, options)
    text = markdown(measured, described, settings)
    write(text, measured, described, settings)
    print(text, end="")


def main() -> int:
    """Return 0, or 1 if an answer was wrong."""
    return run_bench(bench(arguments()))


if __name__ == "__main__":
    sys.exit(main())
