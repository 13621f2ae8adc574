"""Rounds: each load on each server in turn, so that a slow moment of the machine affects all alike."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from random import Random
from statistics import median
from typing import Any

from bench.http import BenchError, Connection, http_request
from bench.loads import mixed
from bench.loads.load import data_of
from bench.loads.members import StoredMember
from bench.loads.mixed import MIXED
from bench.loads.reads import READS, Read, Truth
from bench.loads.wrk import Driven, Prepared, drive, prepare
from bench.processes import Usage, usage, wait_until_idle
from bench.servers import CARILLON_KEY, KINDS, Kind, Server
from bench.snapshot_views import catalogues
from bench.world import MEMBERS, PEERS_MEMBERS, World
from resolvers.imports.journey import PROGRAMME

WARM_MEMBERS, SAMPLE = 100, 50
WARM_UP_SECONDS, WARM_UP_CONNECTIONS = 3, 16
MIXED_WARM_UP_SECONDS = 20
"""Long enough to request most members of a Zipf choice, so that a server in use is measured, not a new one."""
WARM, COLD = "warm", "cold"
TURNS = 60_000


@dataclass(frozen=True, slots=True)
class Load:
    """A read, the choice of members (warm or cold), and the number of connections."""

    read: str
    choice: str
    connections: int

    @property
    def name(self) -> str:
        """The load's name in reports."""
        return f"{self.read}, {self.choice}"


@dataclass(frozen=True, slots=True)
class Round:
    """One measured round of one server. CPU is in shares of one core, 1 is all of it; memory in MiB."""

    answered: int
    seconds: float
    p50_ms: float
    p99_ms: float
    server_cpu: float
    mongod_cpu: float
    load_cpu: float
    server_rss_mib: float

    @property
    def per_second(self) -> float:
        """Answers per second."""
        return self.answered / self.seconds

    @property
    def server_us(self) -> float:
        """The server's CPU time per answer, in microseconds."""
        return self.server_cpu * self.seconds / max(1, self.answered) * 1e6

    @property
    def mongod_us(self) -> float:
        """The CPU time of mongod per answer, in microseconds."""
        return self.mongod_cpu * self.seconds / max(1, self.answered) * 1e6

    @classmethod
    def of(cls, driven: Driven, server: tuple[Usage, Usage], mongod: tuple[Usage, Usage]) -> "Round":
        """Return a round of what wrk saw, and what the processes had taken before and after."""
        server_cpu, mongod_cpu = (
            (after.cpu_seconds - before.cpu_seconds) / driven.seconds for before, after in (server, mongod)
        )
        return cls(
            driven.answered,
            driven.seconds,
            driven.p50_ms,
            driven.p99_ms,
            server_cpu,
            mongod_cpu,
            driven.cpu_seconds / driven.seconds,
            server[1].rss_mib,
        )


@dataclass(frozen=True, slots=True)
class Measured:
    """A load on a server, and its rounds."""

    load: Load
    server: str
    rounds: list[Round]

    @property
    def per_second(self) -> float:
        """The median of the rounds."""
        return self.figure("per_second")

    def figure(self, name: str) -> float:
        """Return the median of a figure of the rounds, by its name."""
        values: list[float] = [getattr(one, name) for one in self.rounds]
        return median(values)

    def record(self) -> dict[str, Any]:
        """Return every round as JSON values."""
        derived = ("per_second", "server_us", "mongod_us")
        rounds = [{**{name: getattr(one, name) for name in derived}, **asdict(one)} for one in self.rounds]
        return {**asdict(self.load), "server": self.server, "per_second": self.per_second, "rounds": rounds}


async def truths(
    world: World, members: Sequence[StoredMember], *, collection: str = MEMBERS
) -> list[tuple[StoredMember, Truth]]:
    """Return the current contents of right answers about some members."""
    among, by_locale = {"$in": [member.id for member in members]}, catalogues(world.programme_file)
    documents = {one["_id"]: one async for one in world.database.db[collection].find({"_id": among})}
    records: dict[str, dict[int, Mapping[str, Any]]] = {member.id: {} for member in members}
    async for record in world.database.records.find({"programme": PROGRAMME, "member": among}):
        records[record["member"]][record["version"]] = record
    return [
        (member, Truth(documents[member.id], records[member.id], by_locale[documents[member.id]["profile"]["locale"]]))
        for member in members
    ]


async def check(world: World, server: Server, read: Read, known: Sequence[tuple[StoredMember, Truth]]) -> None:
    """Request some members, one after the other, and compare every field.

    Raises:
        BenchError: an answer is wrong.
    """
    connection = await Connection.open("127.0.0.1", server.port)
    try:
        for member, truth in known:
            token, body = read.request(world, member)
            wire = http_request("POST", "/graphql", f"127.0.0.1:{server.port}", token=token or None, body=body)
            status, answer = await connection.send(wire)
            try:
                read.check(truth, data_of(status, answer))
            except (KeyError, TypeError, ValueError) as error:
                raise BenchError(f"{server.key}: {error!r} in {answer[:500].decode(errors='replace')}") from error
            except BenchError as error:
                raise BenchError(f"{KINDS[server.key].title}: {error}") from error
            if len(answer) < read.bytes_min:
                raise BenchError(f"{server.key}: a right answer has only {len(answer)} bytes")
    finally:
        connection.close()


class Bench:
    """Runs loads on running servers. `turns` is the number of requests prepared for each server's mixed load."""

    def __init__(
        self, world: World, servers: Mapping[str, Server], *, seconds: int, cold_max: int, turns: int = TURNS
    ) -> None:
        self._world, self._servers, self._turns = world, servers, turns
        self._seconds, self._cold_max = seconds, cold_max
        self._prepared: dict[tuple[str, ...], Prepared] = {}
        # How far each server has walked through the members, so that a cold load requests none twice.
        self._offsets: dict[tuple[str, str], int] = {}
        self._in_flight: dict[tuple[str, str], int] = {}

    def members(self, load: Load) -> Sequence[StoredMember]:
        """Return the members that a load requests."""
        all_members = self._world.deep if load.read == "deep" else self._world.members
        if load.choice == COLD:
            return all_members[: self._cold_max]
        return Random(0).sample(all_members, min(WARM_MEMBERS, len(all_members)))

    def _requests(self, load: Load, server: Server) -> Prepared:
        if load.read == MIXED:
            return self._mixed(server.key)
        key = (load.read, load.choice)
        if key not in self._prepared:
            read = READS[load.read]
            requests = [read.request(self._world, member) for member in self.members(load)]
            file = self._world.file(f"{load.read}-{load.choice}.requests")
            self._prepared[key] = prepare(file, requests, bytes_min=read.bytes_min, pick=load.choice == WARM)
        return self._prepared[key]

    def _mixed(self, server: str) -> Prepared:
        if (MIXED, server) not in self._prepared:
            file = self._world.file(f"{MIXED}-{server}.requests")
            requests = mixed.requests(self._world, server, self._turns)
            self._prepared[MIXED, server] = prepare(file, requests, bytes_min=mixed.BYTES_MIN, pick=False)
        return self._prepared[MIXED, server]

    async def _drive(self, server: Server, load: Load, *, connections: int, seconds: int) -> Round:
        prepared, key = self._requests(load, server), (load.read, server.key)
        before = server.usage(), usage(self._world.mongod_pid)
        offset = self._offsets.get(key, 0)
        driven = await drive(server.port, prepared, connections=connections, seconds=seconds, offset=offset)
        self._offsets[key] = offset + driven.sent
        self._in_flight[key] = self._in_flight.get(key, 0) + connections
        if load.read == MIXED and self._offsets[key] > prepared.count:
            raise BenchError(
                f"{server.key} has received all {prepared.count} requests of the mixed load; increase --turns"
            )
        after = server.usage(), usage(self._world.mongod_pid)
        await wait_until_idle(server.pid)
        return Round.of(driven, (before[0], after[0]), (before[1], after[1]))

    def _answering(self, load: Load) -> list[Server]:
        def answers(kind: Kind) -> bool:
            return (not kind.loads or load.read in kind.loads) and not (kind.is_warm_only and load.choice == COLD)

        return [one for key, one in self._servers.items() if answers(KINDS[key])]

    async def _check(self, load: Load, seed: int) -> None:
        members = self.members(load)
        sample = Random(seed).sample(members, min(SAMPLE, len(members)))
        for server in self._answering(load):
            collection = PEERS_MEMBERS if load.read == MIXED and server.key != CARILLON_KEY else MEMBERS
            known = await truths(self._world, sample, collection=collection)
            await check(self._world, server, READS["home" if load.read == MIXED else load.read], known)
            if load.read == MIXED:
                key = (load.read, server.key)
                sent, in_flight = self._offsets.get(key, 0), self._in_flight.get(key, 0)
                await mixed.verify(self._world, server.key, sent=sent, in_flight=in_flight)

    async def run(self, loads: Sequence[Load], rounds: int) -> list[Measured]:
        """Measure each load in `rounds` rounds; in each, every server has its turn."""
        measured: list[Measured] = []
        for index, load in enumerate(loads):
            before = loads[index - 1] if index else None
            if before is None or (before.read, before.choice) != (load.read, load.choice):
                await self.begin(load)
            done = {server.key: Measured(load, server.key, []) for server in self._answering(load)}
            for number in range(rounds):
                for server in self._answering(load):
                    done[server.key].rounds.append(await self.round(load, server, f"{number + 1}/{rounds}"))
            await self._check(load, 2)
            measured += done.values()
        return measured

    async def begin(self, load: Load) -> None:
        """Check the servers' answers to a load, and warm the servers up."""
        await self._check(load, 1)
        seconds = MIXED_WARM_UP_SECONDS if load.read == MIXED else WARM_UP_SECONDS
        for server in self._answering(load):
            await self._drive(server, load, connections=WARM_UP_CONNECTIONS, seconds=seconds)

    async def round(self, load: Load, server: Server, which: str) -> Round:
        """Measure one round of a load on a server; `which` is the round's name in the progress output."""
        one = await self._drive(server, load, connections=load.connections, seconds=self._seconds)
        figures = f"{server.key}: {one.per_second:,.0f}/s, p99 {one.p99_ms:.1f} ms, us CPU server {one.server_us:,.0f}"
        figures += f" mongod {one.mongod_us:,.0f}"
        print(f"{load.name} on {load.connections}, round {which}, {figures}", file=sys.stderr)
        return one
