"""Live updates: `python -m bench.live` compares Carillon with graphql-ws on Node, Strawberry, and bare sends.

The same writer makes the same changes on the same mongod for all of them, with the same sockets (graphql-transport-ws,
a valid token on each, the same query), and their messages are compared. The rate of changes rises until updates are
late (p99 over LATE_MS, from before the write to the arrival on the socket) or missing; the highest sustained rate
counts. Rounds are interleaved, and each figure is the median.
"""

import argparse
import asyncio
import os
import platform
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass, field
from math import ceil
from pathlib import Path
from statistics import median
from typing import Any

import orjson

from bench.http import BenchError
from bench.live.servers import SERVERS, Helper, Server, running, running_helper
from bench.live.till import run_live
from bench.live.world import DATABASE, World, running_world
from bench.operations import LIVE
from bench.processes import run_bench, usage
from gateway.observability.interpreter import described as described_python

__all__ = ["run_live"]

LATE_MS = 50.0
KIB_IN_MIB = 1024
KEPT_UP_SHARE = 0.95
ARRIVAL_SECONDS_MAX = 30
ATTEMPTS_MAX = 2
FEW, MANY = 10, 500
VERSIONS_FEW, VERSIONS_MANY = 2400, 80
RATES = {
    # Changes per second. Of 1,000 sockets, each change goes to 100 with few members, to 2 with many.
    FEW: (25, 50, 100, 150, 200, 300, 400, 500, 600, 700, 800, 900),
    MANY: (125, 250, 500, 750, 1000, 1500, 2000, 2500),
}
START_RATES = {
    FEW: {"carillon": 300, "graphql-ws": 50, "strawberry": 25, "bare": 300},
    MANY: {"carillon": 250, "graphql-ws": 250, "strawberry": 125, "bare": 250},
}
FLOOD_RATES = {
    # More changes per second than a server keeps up with, to see how many updates it then delivers.
    FEW: {"carillon": 900, "graphql-ws": 300, "strawberry": 40, "bare": 900},
    MANY: {"carillon": 2000, "graphql-ws": 2000, "strawberry": 1000, "bare": 2000},
}
QUIET_RATE = 20
IDLE_SECONDS = 5.0
WARM_UP_RATE, WARM_UP_SECONDS = 50, 2
RESULTS = Path(__file__).parents[1] / "results"
HEAD = (
    *("sockets", "members", "server", "deliveries/s sustained", "min to max", "ratio to graphql-ws"),
    *("server us CPU each", "mongod us CPU each", "p50 ms", "p99 ms", "server CPU"),
    *("deliveries/s when flooded", "ratio", "server us CPU each", "mongod us CPU each"),
    *("write to device when quiet, p50 and p99 ms", "commit to device when quiet, p50 and p99 ms"),
    "KiB per socket",
)


@dataclass(frozen=True, slots=True)
class Step:
    """The figures of one rate of changes: milliseconds, deliveries per second, CPU in shares of one core."""

    rate: int
    deliveries: int
    missing: int
    is_flood: bool
    per_second: float
    p50_ms: float
    p99_ms: float
    after_commit_p50_ms: float
    after_commit_p99_ms: float
    kept_up: float
    server_cpu: float
    client_cpu: float
    mongod_cpu: float

    @property
    def is_sustained(self) -> bool:
        """Return whether every update arrived in time and the writer kept up with the rate."""
        return not self.is_flood and not self.missing and self.p99_ms <= LATE_MS and self.kept_up >= KEPT_UP_SHARE


@dataclass(slots=True)
class Turn:
    """The run of one server in a round: its steps, its memory, the seconds to open its sockets."""

    server: str
    members: int
    sockets: int
    steps: list[Step] = field(default_factory=list)
    base_kib: float = 0
    socket_kib: float = 0
    open_seconds: float = 0

    @property
    def best(self) -> Step | None:
        """The step with the highest sustained rate."""
        return max((one for one in self.steps if one.is_sustained), key=lambda one: one.per_second, default=None)

    @property
    def quiet(self) -> Step | None:
        """The step at QUIET_RATE."""
        return next((one for one in self.steps if one.rate == QUIET_RATE), None)

    @property
    def flood(self) -> Step | None:
        """The step at a rate above capacity, if no update is missing."""
        return next((one for one in self.steps if one.is_flood and not one.missing), None)


def _read(file: Path) -> Any:
    return orjson.loads(file.read_bytes())


def _percentile(ascending: Sequence[float], share: float) -> float:
    return ascending[ceil(share * len(ascending)) - 1] * 1000 if ascending else 0.0


class Bench:
    """Runs servers, one after the other, in one world with one writer."""

    def __init__(self, world: World, writer: Helper, *, seconds: float) -> None:
        self._world, self._writer, self.seconds = world, writer, seconds
        self._versions: list[int] = []
        self.samples: dict[str, dict[str, Any]] = {}

    async def turn(self, key: str, members: int, sockets: int, rates: Sequence[int]) -> Turn:
        """Start a server, open sockets on it, and raise the rate until it does not keep up."""
        await self._writer.command(reset=True)
        self._versions = [1] * len(self._world.members)
        turn = Turn(key, members, sockets)
        sockets_file, query_file = self._world.directory / "sockets.json", self._world.directory / "query.graphql"
        tokens = [[n % members, self._world.token(n % members, n)] for n in range(sockets)]
        sockets_file.write_bytes(orjson.dumps(tokens))
        query_file.write_text(LIVE)
        async with running(self._world, key) as server:
            await asyncio.sleep(1)
            base = usage(server.pid).rss_mib * KIB_IN_MIB
            parameters = (str(server.port), str(sockets_file), str(query_file))
            async with running_helper("bench.live.client", parameters) as client:
                opened = orjson.loads(await client.read_line())
                if opened["faults"]:
                    raise BenchError(f"{SERVERS[key][0]}: {opened['faults']}")
                await asyncio.sleep(0.5)
                turn.base_kib, turn.open_seconds = base, opened["seconds"]
                turn.socket_kib = (usage(server.pid).rss_mib * KIB_IN_MIB - base) / sockets
                async for step in self._steps(server, client, members, rates):
                    turn.steps.append(step)
                    print(_summary(key, members, step), file=sys.stderr)
                if sockets // members in {100, 2}:
                    step = await self._step(server, client, members, FLOOD_RATES[members][key], flood=True)
                    turn.steps.append(step)
                    print("flood: " + _summary(key, members, step), file=sys.stderr)
                file = self._world.directory / "samples.json"
                await client.command(samples=str(file))
                self.samples[key] = orjson.loads(file.read_bytes())
        return turn

    async def _steps(self, server: Server, client: Helper, members: int, rates: Sequence[int]) -> AsyncIterator[Step]:
        """Raise the rate until it is not sustained; if the first one is not, lower it until one is."""
        yield await self._step(server, client, members, QUIET_RATE, warm=True)
        ladder = [*RATES[members]] if len(rates) > 1 and members in RATES else [*rates]
        is_sustained = was_sustained = False
        for rate in rates:
            was_sustained, is_sustained = is_sustained, False
            # Other work of the machine can spoil one attempt; two are less likely to fail because of it.
            for _ in range(ATTEMPTS_MAX):
                step = await self._step(server, client, members, rate)
                yield step
                is_sustained = step.is_sustained
                if is_sustained or step.missing:
                    break
            if not is_sustained:
                break
        if is_sustained or was_sustained:
            return
        for lower in reversed([one for one in ladder if one < rates[0]]):
            step = await self._step(server, client, members, lower)
            yield step
            if step.is_sustained:
                return

    async def _step(
        self, server: Server, client: Helper, members: int, rate: int, *, warm: bool = False, flood: bool = False
    ) -> Step:
        file, report = self._world.directory / "written.json", self._world.directory / "report.json"
        if warm:
            # The first changes run with a cold JIT, cold connections and cold caches.
            await self._write(client, members, WARM_UP_RATE, WARM_UP_SECONDS, file)
            await client.command(report=str(report))
        pids = (server.pid, client.pid, self._world.mongod_pid)
        before = [usage(pid).cpu_seconds for pid in pids]
        behind = await self._write(client, members, rate, self.seconds, file)
        cpu = [usage(pid).cpu_seconds - b for pid, b in zip(pids, before, strict=True)]
        await client.command(report=str(report))
        received = orjson.loads(report.read_bytes())
        if received["faults"]:
            raise BenchError(f"{SERVERS[server.key][0]}: {received['faults']}")
        sent: dict[tuple[int, int], tuple[float, float]] = {}
        bulks = _read(file)
        for begun, acknowledged, replaced in bulks:
            for member, version in replaced:
                sent[member, version] = begun, acknowledged
        late: list[float] = []
        after: list[float] = []
        last = 0.0
        for member, first, moments in received["sockets"]:
            for offset, moment in enumerate(moments):
                if (member, first + offset) not in sent:
                    continue  # belongs to the warm-up
                begun, acknowledged = sent[member, first + offset]
                late.append(moment - begun)
                after.append(max(0.0, moment - acknowledged))
            last = max(last, moments[-1]) if moments else last
        late.sort()
        after.sort()
        took = max(last - bulks[0][0], self.seconds)
        watching = [0] * members
        for member, _, _ in received["sockets"]:
            watching[member] += 1
        expected = sum(watching[member] for member, _ in sent)
        return Step(
            rate=rate,
            deliveries=len(late),
            missing=expected - len(late) if behind or len(late) != expected else 0,
            is_flood=flood,
            per_second=len(late) / took,
            p50_ms=_percentile(late, 0.5),
            p99_ms=_percentile(late, 0.99),
            after_commit_p50_ms=_percentile(after, 0.5),
            after_commit_p99_ms=_percentile(after, 0.99),
            kept_up=self.seconds / max(self.seconds, bulks[-1][1] - bulks[0][0]),
            server_cpu=cpu[0] / took,
            client_cpu=cpu[1] / took,
            mongod_cpu=cpu[2] / took,
        )

    async def _write(self, client: Helper, members: int, rate: float, seconds: float, file: Path) -> int:
        if await self._writer.command(members=members, rate=rate, seconds=seconds, file=str(file)) != "done":
            raise BenchError("the writer has no versions left: use fewer --seconds or --rates")
        for _, _, replaced in _read(file):
            for member, version in replaced:
                self._versions[member] = version
        answer = orjson.loads(await client.command(until=self._versions, seconds=ARRIVAL_SECONDS_MAX))
        return int(answer["left"])

    def compare(self) -> None:
        """Compare the messages of the servers, except the bare one.

        Raises:
            BenchError: two servers sent different payloads for the same version.
        """
        samples = {key: sent for key, sent in self.samples.items() if key != "bare"}
        if len(samples) < 2:  # noqa: PLR2004 - nothing to compare
            return
        (first, expected), *others = samples.items()
        for key, sent in others:
            compared = 0
            for member, messages in sent.items():
                by_version = {_version(one): orjson.loads(one)["payload"] for one in expected.get(member, ())}
                for one in messages:
                    version = _version(one)
                    if version in by_version:
                        compared += 1
                        if orjson.loads(one)["payload"] != by_version[version]:
                            raise BenchError(f"{key} and {first} differ in version {version} of a member: {one}")
            if not compared:
                raise BenchError(f"{key} and {first} sent no message of the same version")


def _version(message: str) -> int:
    return int(orjson.loads(message)["payload"]["data"]["memberChanged"]["version"])


def _summary(key: str, members: int, step: Step) -> str:
    return (
        f"{key}, {members} members, {step.rate} changes/s: {step.per_second:,.0f} deliveries/s, "
        f"p50 {step.p50_ms:.1f} p99 {step.p99_ms:.1f} ms, after the commit p50 {step.after_commit_p50_ms:.1f} "
        f"p99 {step.after_commit_p99_ms:.1f} ms, missing {step.missing}, kept up {step.kept_up:.0%}, CPU server "
        f"{step.server_cpu:.0%} client {step.client_cpu:.0%} mongod {step.mongod_cpu:.0%}"
    )


def _rates(key: str, members: int) -> list[int]:
    return [rate for rate in RATES[members] if rate >= START_RATES[members][key]]


def _median(turns: Sequence[Turn], figure: Any) -> float:
    values = [figure(turn) for turn in turns]
    return float(median(values)) if values else 0.0


def _pair(turns: Sequence[Turn], first: Any, second: Any) -> str:
    return f"{_median(turns, first):.1f}, {_median(turns, second):.1f}"


def _us_each(turns: Sequence[Turn], step: Any) -> tuple[str, str]:
    """Return the cells of the microseconds of CPU per delivery, of the server and of mongod, at a step of the turns."""
    return (
        f"{_median(turns, lambda t: step(t).server_cpu / step(t).per_second * 1e6):.1f}",
        f"{_median(turns, lambda t: step(t).mongod_cpu / step(t).per_second * 1e6):.1f}",
    )


def table(turns: Sequence[Turn], keys: Sequence[str]) -> str:
    """Return the Markdown table of medians."""
    lines = ["| " + " | ".join(HEAD) + " |", "| ---: | ---: | --- |" + " ---: |" * (len(HEAD) - 3)]
    for sockets, members in dict.fromkeys((one.sockets, one.members) for one in turns):
        shape = [one for one in turns if (one.sockets, one.members) == (sockets, members)]
        medians = {
            key: _median([t for t in shape if t.server == key], lambda t: t.best.per_second if t.best else 0.0)
            for key in keys
        }
        floods = {key: [one for one in shape if one.server == key and one.flood] for key in keys}
        flooded = {key: _median(own, lambda t: t.flood.per_second) for key, own in floods.items()}
        peer, peer_flooded = medians.get("graphql-ws", 0.0), flooded.get("graphql-ws", 0.0)
        for key in keys:
            own = [one for one in shape if one.server == key]
            if not own:
                continue
            rates = [one.best.per_second if one.best else 0.0 for one in own]
            best = [one for one in own if one.best]
            quiet = [one for one in own if one.quiet]
            cells = [
                f"{sockets:,}",
                f"{members}",
                SERVERS[key][0],
                f"{medians[key]:,.0f}",
                f"{min(rates):,.0f} to {max(rates):,.0f}",
                f"{medians[key] / peer:.2f}" if peer else "",
                *_us_each(best, lambda t: t.best),
                f"{_median(best, lambda t: t.best.p50_ms):.1f}",
                f"{_median(best, lambda t: t.best.p99_ms):.1f}",
                f"{_median(best, lambda t: t.best.server_cpu):.0%}",
                f"{flooded[key]:,.0f}",
                f"{flooded[key] / peer_flooded:.2f}" if peer_flooded else "",
                *_us_each(floods[key], lambda t: t.flood),
                _pair(quiet, lambda t: t.quiet.p50_ms, lambda t: t.quiet.p99_ms),
                _pair(quiet, lambda t: t.quiet.after_commit_p50_ms, lambda t: t.quiet.after_commit_p99_ms),
                f"{_median(own, lambda t: t.socket_kib):.1f}",
            ]
            lines.append("| " + " | ".join(cells) + " |")
    missing = sum(step.missing for turn in turns for step in turn.steps if step.is_sustained)
    note = (
        f"Sustained: every update on every socket (missing {missing}), p99 at most {LATE_MS:.0f} ms from before "
        "the write to the arrival, at the given rate. Medians of interleaved rounds; CPU in shares of one "
        "core."
    )
    return "\n".join([*lines, "", note]) + "\n"


def idle_report(turns: Sequence[Turn]) -> str:
    """Return the memory that many idle sockets took, and the latency of one change to each member."""
    return "\n".join(
        f"{SERVERS[turn.server][0]}: {turn.sockets:,} sockets on {turn.members} members opened in "
        f"{turn.open_seconds:.1f} s, {turn.socket_kib:.1f} KiB per socket above {turn.base_kib / 1024:.0f} MiB; "
        f"{step.deliveries:,} deliveries, missing {step.missing}, p50 {step.p50_ms:.1f} ms, p99 {step.p99_ms:.1f} ms.\n"
        for turn in turns
        for step in turn.steps[-1:]
    )


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.live", description=__doc__)
    parser.add_argument("--seconds", type=float, default=2, help="seconds of each rate (2)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds; every server runs once in each (3)")
    parser.add_argument("--sockets", type=int, default=1000, help="sockets on each server (1000)")
    parser.add_argument("--idle-sockets", type=int, default=5000, help="idle sockets to hold open; 0 skips this (5000)")
    parser.add_argument("--servers", default=",".join(SERVERS), help=f"some of {','.join(SERVERS)}")
    parser.add_argument("--members", default=f"{FEW},{MANY}", help=f"numbers of subscribed members ({FEW},{MANY})")
    parser.add_argument("--rates", default="", help="changes per second, instead of rising rates")
    parser.add_argument("--save", action="store_true", help="write the figures to bench/results/live.{md,json}")
    return parser.parse_args()


async def bench(options: argparse.Namespace) -> None:
    """Measure all servers, and print the report."""
    keys = options.servers.split(",")
    shapes = [int(part) for part in options.members.split(",")]
    members_max = max(shapes)
    counts = [VERSIONS_FEW if number < FEW and FEW in shapes else VERSIONS_MANY for number in range(members_max)]
    own_rates = [int(part) for part in options.rates.split(",") if part]
    turns: list[Turn] = []
    async with running_world(counts) as world:
        print(f"{sum(counts):,} versions of {members_max} members created", file=sys.stderr)
        parameters = (world.url, DATABASE, str(world.directory), str(members_max))
        async with running_helper("bench.live.writer", parameters) as writer:
            await writer.read_line()
            measuring = Bench(world, writer, seconds=options.seconds)
            for _ in range(options.rounds):
                for members in shapes:
                    for key in keys:
                        rates = own_rates or _rates(key, members)
                        turns.append(await measuring.turn(key, members, options.sockets, rates))
                    measuring.compare()
            idle: list[Turn] = []
            if options.idle_sockets:
                # One change to each member.
                measuring.seconds = IDLE_SECONDS
                rates = [round(members_max / IDLE_SECONDS)]
                idle.append(await measuring.turn("carillon", members_max, options.idle_sockets, rates))
    described = f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores, Python {described_python()}"
    text = (table(turns, keys) if turns else "") + (f"\n{idle_report(idle)}" if idle else "") + f"\n{described}\n"
    if options.save:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "live.md").write_text(text, encoding="utf-8")
        record = [asdict(one) for one in (*turns, *idle)]
        (RESULTS / "live.json").write_bytes(orjson.dumps(record, option=orjson.OPT_INDENT_2) + b"\n")
    print(text, end="")


def main() -> int:
    """Return 0, or 1 if an answer was wrong or a server failed."""
    return run_bench(bench(arguments()))


if __name__ == "__main__":
    sys.exit(main())
