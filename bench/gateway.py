"""The measured gateway: `carillon up` in its own process and in a temporary directory."""

import asyncio
import re
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.http import BenchError, is_ready
from bench.processes import OUTPUT_SHOWN_MAX, read_output, server_environment, started, usage
from gateway.auth.development_key import DevelopmentKey
from models.mongo.database import Database, connect
from models.mongod.server import find_running
from resolvers.core.actor import Role
from resolvers.imports.journey import PROGRAMME

CARILLON = (sys.executable, "-m", "gateway")
START_SECONDS_MAX = 120
TOKEN_TTL = timedelta(hours=6)
_ADDRESS = re.compile(r"http://(127\.0\.0\.1):(\d+)")


@dataclass(frozen=True, slots=True)
class Member:
    """A member's number and its own token."""

    number: str
    token: str


@dataclass(frozen=True, slots=True)
class CpuSeconds:
    """The CPU seconds that the gateway, mongod and this process, the load, have used so far."""

    gateway: float
    mongod: float
    load: float


@dataclass(frozen=True, slots=True)
class Site:
    """A running gateway with the data that loads need: address, processes, members, keys, database."""

    host: str
    port: int
    pid: int
    mongod_pid: int
    key: DevelopmentKey
    database: Database
    members: tuple[Member, ...]

    def token(self, role: Role, subject: str) -> str:
        """Return a token of a role other than member."""
        return issue_token(self.key, role, subject)

    def cpu_seconds(self) -> CpuSeconds:
        """Return the CPU seconds so far; a mongod that the gateway has started counts as mongod's."""
        gateway = usage(self.pid, without=self.mongod_pid).cpu_seconds
        return CpuSeconds(gateway, usage(self.mongod_pid).cpu_seconds, time.process_time())


def issue_token(key: DevelopmentKey, role: Role, subject: str, member: str | None = None) -> str:
    """Return a token signed with the gateway's development key."""
    return key.issue(
        role=role, programme=PROGRAMME, subject=subject, member=member, ttl=TOKEN_TTL, now=datetime.now(UTC)
    )


@asynccontextmanager
async def running_gateway(members: int) -> AsyncIterator[Site]:
    """Start a gateway with `members` households of the real data, and stop it afterwards.

    Its settings and limits are the defaults, except for the drain period.
    """
    with tempfile.TemporaryDirectory(prefix="carillon-bench-") as directory:
        data_dir, output = Path(directory) / "data", Path(directory) / "output"
        command = (*CARILLON, "up", "--port", "0", "--data-dir", str(data_dir), "--households", str(members))
        async with started(command, output, server_environment(CARILLON_DRAIN_SECONDS="0")) as process:
            host, port = await _address(process, output)
            async with _site(process.pid, host, port, data_dir, members) as site:
                yield site


async def _address(process: asyncio.subprocess.Process, output: Path) -> tuple[str, int]:
    """Wait until the gateway is ready; return its host and port."""
    deadline = time.monotonic() + START_SECONDS_MAX
    while process.returncode is None and time.monotonic() < deadline:
        found = _ADDRESS.search(read_output(output))
        if found is not None and await is_ready(found[1], int(found[2])):
            return found[1], int(found[2])
        await asyncio.sleep(0.1)
    raise BenchError(f"the gateway did not start:\n{read_output(output)[-OUTPUT_SHOWN_MAX:]}")


@asynccontextmanager
async def _site(pid: int, host: str, port: int, data_dir: Path, members: int) -> AsyncIterator[Site]:
    running = find_running(data_dir)
    if running is None:
        raise BenchError("the gateway's MongoDB is not running")
    key, database = DevelopmentKey.load(data_dir), connect(running.url)
    try:
        found = await database.members.find(
            {"programme": PROGRAMME}, {"number": 1}, sort=[("_id", 1)], limit=members
        ).to_list()
        if len(found) != members:
            raise BenchError(f"the data has {len(found)} members, not {members}; use a smaller --members")
        known = tuple(Member(one["number"], issue_token(key, Role.MEMBER, one["_id"], one["_id"])) for one in found)
        yield Site(host, port, pid, running.pid, key, database, known)
    finally:
        await database.close()
