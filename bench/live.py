"""Live updates: `python -m bench.live` compares Carillon with graphql-ws on Node, Strawberry as it comes, bare sends.

All are told the same changes by the same writer on the same mongod, with the same sockets (graphql-transport-ws, a
valid token on each, the same query), and what they send is compared. The rate of changes rises until updates are late
(p99 over LATE_MS, from the moment before the write to the arrival on the socket) or missing; the highest rate that was
sustained counts. Rounds are interleaved, each figure is the median.
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
from bench.live_servers import SERVERS, Helper, Server, helping, running
from bench.live_till import run_live
from bench.live_world import DATABASE, World, running_world
from bench.operations import LIVE
from bench.processes import run_bench, usage

__all__ = ["run_live"]

LATE_MS = 50.0
KIB_IN_MIB = 1024
KEPT_UP_SHARE = 0.95
ARRIVAL_SECONDS_MAX = 30
ATTEMPTS_MAX = 2
FEW, MANY = 10, 500
VERSIONS_FEW, VERSIONS_MANY = 2400, 80
STEPS = {
    # Changes a second. Each goes to 100 sockets of 1,000 where there are few members, to 2 where there are many.
    FEW: (25, 50, 100, 150, 200, 300, 400, 500, 600, 700, 800, 900),
    MANY: (125, 250, 500, 750, 1000, 1500, 2000, 2500),
}
BEGIN = {
    FEW: {"carillon": 300, "graphql-ws": 50, "strawberry": 25, "bare": 300},
    MANY: {"carillon": 250, "graphql-ws": 250, "strawberry": 125, "bare": 250},
}
FLOOD = {
    # More than a server keeps up with: how many it delivers then, however late.
    FEW: {"carillon": 900, "graphql-ws": 300, "strawberry": 40, "bare": 900},
    MANY: {"carillon": 2000, "graphql-ws": 2000, "strawberry": 1000, "bare": 2000},
}
QUIET_RATE = 20
HELD_SECONDS = 5.0
WARM_UP_RATE, WARM_UP_SECONDS = 50, 2
RESULTS = Path(__file__).parent / "results"
HEAD = (
    *("sockets", "members", "server", "deliveries/s sustained", "least to most", "ratio to graphql-ws"),
    *("p50 ms", "p99 ms", "server CPU", "flooded: deliveries/s, however late", "ratio", "CPU µs a delivery"),
    *("write to device when quiet: p50, p99 ms", "commit to device when quiet: p50, p99 ms", "KiB a socket"),
)


@dataclass(frozen=True, slots=True)
class Step:
    """What happened at one rate of changes; milliseconds, deliveries a second, CPU in shares of one core."""

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
        """Say whether everything arrived, in time, at the rate that was asked for."""
        return not self.is_flood and not self.missing and self.p99_ms <= LATE_MS and self.kept_up >= KEPT_UP_SHARE


@dataclass(slots=True)
class Turn:
    """One server's turn in a round: its steps, and its memory."""

    server: str
    members: int
    sockets: int
    steps: list[Step] = field(default_factory=list)
    base_kib: float = 0
    socket_kib: float = 0
    open_seconds: float = 0

    @property
    def best(self) -> Step | None:
        """The highest rate that was sustained."""
        return max((one for one in self.steps if one.is_sustained), key=lambda one: one.per_second, default=None)

    @property
    def quiet(self) -> Step | None:
        """The step at a rate that nobody has to hurry for."""
        return next((one for one in self.steps if one.rate == QUIET_RATE), None)

    @property
    def flood(self) -> Step | None:
        """The step at a rate that is too high."""
        return next((one for one in self.steps if one.is_flood and not one.missing), None)


def _read(file: Path) -> Any:
    return orjson.loads(file.read_bytes())


def _rank(ranked: Sequence[float], share: float) -> float:
    return ranked[ceil(share * len(ranked)) - 1] * 1000 if ranked else 0.0


class Bench:
    """Turns of servers in one world, with one writer."""

    def __init__(self, world: World, writer: Helper, *, seconds: float) -> None:
        self._world, self._writer, self.seconds = world, writer, seconds
        self._versions: list[int] = []
        self.samples: dict[str, dict[str, Any]] = {}

    async def turn(self, key: str, members: int, sockets: int, rates: Sequence[int]) -> Turn:
        """Start a server, open sockets on it, and let the rate rise until it does not keep up."""
        await self._writer.ask(reset=True)
        self._versions = [1] * len(self._world.members)
        turn = Turn(key, members, sockets)
        wanted, query = self._world.place / "sockets.json", self._world.place / "query.graphql"
        tokens = [[n % members, self._world.token(n % members, n)] for n in range(sockets)]
        wanted.write_bytes(orjson.dumps(tokens))
        query.write_text(LIVE)
        async with running(self._world, key) as server:
            await asyncio.sleep(1)
            base = usage(server.pid).rss_mib * KIB_IN_MIB
            async with helping("bench.live_client", (str(server.port), str(wanted), str(query))) as client:
                opened = orjson.loads(await client.told())
                if opened["faults"]:
                    raise BenchError(f"{SERVERS[key][0]}: {opened['faults']}")
                await asyncio.sleep(0.5)
                turn.base_kib, turn.open_seconds = base, opened["seconds"]
                turn.socket_kib = (usage(server.pid).rss_mib * KIB_IN_MIB - base) / sockets
                async for step in self._steps(server, client, members, rates):
                    turn.steps.append(step)
                    print(_said(key, members, step), file=sys.stderr)
                if sockets // members in {100, 2}:
                    step = await self._step(server, client, members, FLOOD[members][key], flood=True)
                    turn.steps.append(step)
                    print("flood: " + _said(key, members, step), file=sys.stderr)
                file = self._world.place / "samples.json"
                await client.ask(samples=str(file))
                self.samples[key] = orjson.loads(file.read_bytes())
        return turn

    async def _steps(self, server: Server, client: Helper, members: int, rates: Sequence[int]) -> AsyncIterator[Step]:
        """Let the rate rise from the first until it is not sustained; where it never was, let it fall until it is."""
        yield await self._step(server, client, members, QUIET_RATE, warm=True)
        ladder = [*STEPS[members]] if len(rates) > 1 and members in STEPS else [*rates]
        is_sustained = was_sustained = False
        for rate in rates:
            was_sustained, is_sustained = is_sustained, False
            # Whatever else the machine does touches one attempt more easily than two.
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
        file, report = self._world.place / "written.json", self._world.place / "report.json"
        if warm:
            # The first changes find everything cold: code that is compiled as it runs, connections, caches.
            await self._write(client, members, WARM_UP_RATE, WARM_UP_SECONDS, file)
            await client.ask(report=str(report))
        pids = (server.pid, client.pid, self._world.mongod_pid)
        before = [usage(pid).cpu_seconds for pid in pids]
        left = await self._write(client, members, rate, self.seconds, file)
        cpu = [usage(pid).cpu_seconds - b for pid, b in zip(pids, before, strict=True)]
        await client.ask(report=str(report))
        told = orjson.loads(report.read_bytes())
        if told["faults"]:
            raise BenchError(f"{SERVERS[server.key][0]}: {told['faults']}")
        sent: dict[tuple[int, int], tuple[float, float]] = {}
        bulks = _read(file)
        for begun, acknowledged, replaced in bulks:
            for member, version in replaced:
                sent[member, version] = begun, acknowledged
        late: list[float] = []
        after: list[float] = []
        last = 0.0
        for member, first, moments in told["sockets"]:
            for place, moment in enumerate(moments):
                if (member, first + place) not in sent:
                    continue  # of the warm-up
                begun, acknowledged = sent[member, first + place]
                late.append(moment - begun)
                after.append(max(0.0, moment - acknowledged))
            last = max(last, moments[-1]) if moments else last
        late.sort()
        after.sort()
        took = max(last - bulks[0][0], self.seconds)
        watching = [0] * members
        for member, _, _ in told["sockets"]:
            watching[member] += 1
        expected = sum(watching[member] for member, _ in sent)
        return Step(
            rate=rate,
            deliveries=len(late),
            missing=expected - len(late) if left or len(late) != expected else 0,
            is_flood=flood,
            per_second=len(late) / took,
            p50_ms=_rank(late, 0.5),
            p99_ms=_rank(late, 0.99),
            after_commit_p50_ms=_rank(after, 0.5),
            after_commit_p99_ms=_rank(after, 0.99),
            kept_up=self.seconds / max(self.seconds, bulks[-1][1] - bulks[0][0]),
            server_cpu=cpu[0] / took,
            client_cpu=cpu[1] / took,
            mongod_cpu=cpu[2] / took,
        )

    async def _write(self, client: Helper, members: int, rate: float, seconds: float, file: Path) -> int:
        if await self._writer.ask(members=members, rate=rate, seconds=seconds, file=str(file)) != "done":
            raise BenchError("the writer has no more versions: ask for fewer seconds or rates")
        for _, _, replaced in _read(file):
            for member, version in replaced:
                self._versions[member] = version
        answer = orjson.loads(await client.ask(until=self._versions, seconds=ARRIVAL_SECONDS_MAX))
        return int(answer["left"])

    def compare(self) -> None:
        """Compare what the servers sent, but for the bare one.

        Raises:
            BenchError: one of them told something else.
        """
        known = {key: told for key, told in self.samples.items() if key != "bare"}
        if len(known) < 2:  # noqa: PLR2004 - nothing to compare
            return
        (first, expected), *others = known.items()
        for key, told in others:
            compared = 0
            for member, messages in told.items():
                by_version = {_version(one): orjson.loads(one)["payload"] for one in expected.get(member, ())}
                for one in messages:
                    version = _version(one)
                    if version in by_version:
                        compared += 1
                        if orjson.loads(one)["payload"] != by_version[version]:
                            raise BenchError(f"{key} and {first} tell version {version} of a member differently: {one}")
            if not compared:
                raise BenchError(f"nothing that {key} and {first} told could be compared")


def _version(message: str) -> int:
    return int(orjson.loads(message)["payload"]["data"]["memberChanged"]["version"])


def _said(key: str, members: int, step: Step) -> str:
    return (
        f"{key}, {members} members, {step.rate} changes/s: {step.per_second:,.0f} deliveries/s, "
        f"p50 {step.p50_ms:.1f} p99 {step.p99_ms:.1f} ms, after the commit p50 {step.after_commit_p50_ms:.1f} "
        f"p99 {step.after_commit_p99_ms:.1f} ms, missing {step.missing}, kept up {step.kept_up:.0%}, CPU server "
        f"{step.server_cpu:.0%} client {step.client_cpu:.0%} mongod {step.mongod_cpu:.0%}"
    )


def _rates(key: str, members: int) -> list[int]:
    begin = BEGIN[members][key]
    return [rate for rate in STEPS[members] if rate >= begin]


def _median(turns: Sequence[Turn], figure: Any) -> float:
    values = [figure(turn) for turn in turns]
    return float(median(values)) if values else 0.0


def _pair(turns: Sequence[Turn], first: Any, second: Any) -> str:
    return f"{_median(turns, first):.1f}, {_median(turns, second):.1f}"


def table(turns: Sequence[Turn], keys: Sequence[str]) -> str:
    """Return the medians as Markdown."""
    lines = ["| " + " | ".join(HEAD) + " |", "| ---: | ---: | --- |" + " ---: |" * (len(HEAD) - 3)]
    for sockets, members in dict.fromkeys((one.sockets, one.members) for one in turns):
        shape = [one for one in turns if (one.sockets, one.members) == (sockets, members)]
        medians = {
            key: _median([t for t in shape if t.server == key], lambda t: t.best.per_second if t.best else 0.0)
            for key in keys
        }
        floods = {key: [one for one in shape if one.server == key and one.flood] for key in keys}
        most = {key: _median(own, lambda t: t.flood.per_second) for key, own in floods.items()}
        peer, peer_most = medians.get("graphql-ws", 0.0), most.get("graphql-ws", 0.0)
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
                f"{_median(best, lambda t: t.best.p50_ms):.1f}",
                f"{_median(best, lambda t: t.best.p99_ms):.1f}",
                f"{_median(best, lambda t: t.best.server_cpu):.0%}",
                f"{most[key]:,.0f}",
                f"{most[key] / peer_most:.2f}" if peer_most else "",
                f"{_median(floods[key], lambda t: t.flood.server_cpu / t.flood.per_second * 1e6):.1f}",
                _pair(quiet, lambda t: t.quiet.p50_ms, lambda t: t.quiet.p99_ms),
                _pair(quiet, lambda t: t.quiet.after_commit_p50_ms, lambda t: t.quiet.after_commit_p99_ms),
                f"{_median(own, lambda t: t.socket_kib):.1f}",
            ]
            lines.append("| " + " | ".join(cells) + " |")
    missing = sum(step.missing for turn in turns for step in turn.steps if step.is_sustained)
    told = (
        f"Sustained: every update on every socket (missing {missing}), p99 at most {LATE_MS:.0f} ms from the moment "
        "before the write to the arrival, at the rate asked for. Medians of interleaved rounds; CPU in shares of one "
        "core."
    )
    return "\n".join([*lines, "", told]) + "\n"


def held(turns: Sequence[Turn]) -> str:
    """Return what many idle sockets took, and how long one change to each member took to reach all."""
    return "\n".join(
        f"{SERVERS[turn.server][0]}: {turn.sockets:,} sockets on {turn.members} members opened in "
        f"{turn.open_seconds:.1f} s, {turn.socket_kib:.1f} KiB a socket over {turn.base_kib / 1024:.0f} MiB; "
        f"{step.deliveries:,} deliveries, missing {step.missing}, p50 {step.p50_ms:.1f} ms, p99 {step.p99_ms:.1f} ms.\n"
        for turn in turns
        for step in turn.steps[-1:]
    )


def arguments() -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m bench.live", description=__doc__)
    parser.add_argument("--seconds", type=float, default=2, help="seconds of each rate (2)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds, in each of which every server has its turn (3)")
    parser.add_argument("--sockets", type=int, default=1000, help="sockets (1000)")
    parser.add_argument("--held", type=int, default=5000, help="sockets that are only held; 0 for none (5000)")
    parser.add_argument("--servers", default=",".join(SERVERS), help=f"some of {','.join(SERVERS)}")
    parser.add_argument("--members", default=f"{FEW},{MANY}", help=f"members that the sockets are of ({FEW},{MANY})")
    parser.add_argument("--rates", default="", help="changes a second, instead of the ladder")
    parser.add_argument("--keep", action="store_true", help="write the figures to bench/results/live.{md,json}")
    return parser.parse_args()


async def bench(asked: argparse.Namespace) -> None:
    """Measure and report."""
    keys = asked.servers.split(",")
    shapes = [int(part) for part in asked.members.split(",")]
    most = max(shapes)
    counts = [VERSIONS_FEW if number < FEW and FEW in shapes else VERSIONS_MANY for number in range(most)]
    own_rates = [int(part) for part in asked.rates.split(",") if part]
    turns: list[Turn] = []
    async with running_world(counts) as world:
        print(f"{sum(counts):,} versions of {most} members made", file=sys.stderr)
        parameters = (world.url, DATABASE, str(world.place), str(most))
        async with helping("bench.live_writer", parameters) as writer:
            await writer.told()
            measuring = Bench(world, writer, seconds=asked.seconds)
            for _ in range(asked.rounds):
                for members in shapes:
                    for key in keys:
                        rates = own_rates or _rates(key, members)
                        turns.append(await measuring.turn(key, members, asked.sockets, rates))
                    measuring.compare()
            kept: list[Turn] = []
            if asked.held:
                # One change to each member.
                measuring.seconds = HELD_SECONDS
                kept.append(await measuring.turn("carillon", most, asked.held, [round(most / HELD_SECONDS)]))
    described = f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}"
    text = (table(turns, keys) if turns else "") + (f"\n{held(kept)}" if kept else "") + f"\n{described}\n"
    if asked.keep:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "live.md").write_text(text, encoding="utf-8")
        record = [asdict(one) for one in (*turns, *kept)]
        (RESULTS / "live.json").write_bytes(orjson.dumps(record, option=orjson.OPT_INDENT_2) + b"\n")
    print(text, end="")


def main() -> int:
    """Return 0, or 1 where something was wrong."""
    return run_bench(bench(arguments()))


if __name__ == "__main__":
    sys.exit(main())
