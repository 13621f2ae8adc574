"""The servers that send live updates, each in its own process, and the bench's writer and client processes."""

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from bench.gateway import CARILLON
from bench.http import BenchError
from bench.live.world import DATABASE, PROGRAMME_FILE, World
from bench.processes import port_of, server_environment, started, stop
from gateway.auth.development_key import DEVELOPMENT_AUDIENCE, DEVELOPMENT_ISSUER
from models.definitions.programme_file import read_programme
from schema.wire.text import catalogue

ROOT = Path(__file__).parents[2]
NODE_PEER = ROOT / "bench" / "peers" / "live-node" / "server.mjs"

SERVERS: dict[str, tuple[str, tuple[str, ...]]] = {
    "carillon": ("Carillon", (*CARILLON, "serve")),
    "graphql-ws": ("graphql-ws on Node", ("node", str(NODE_PEER))),
    "strawberry": ("Strawberry, default setup", (sys.executable, "-m", "bench.peers.live_strawberry")),
    "bare": ("no GraphQL, bare ASGI sends", (sys.executable, "-m", "bench.peers.live_bare")),
}


def _texts() -> str:
    """Return the English texts of an answer, for peers: labels and names of tiers, as JSON."""
    programme = read_programme(PROGRAMME_FILE.read_text(encoding="utf-8"), version=1)
    labels = dict(catalogue("en")["labels"])
    for key, declared in programme.event_types.items():
        if declared.name is not None:
            labels[key] = declared.name.in_locale("en")
    tiers = {tier.key: tier.name.in_locale("en") for tier in programme.tiers}
    return orjson.dumps({"labels": labels, "tiers": tiers}).decode()


def _environment(world: World) -> dict[str, str]:
    return server_environment(
        CARILLON_MONGODB_URL=world.url,
        CARILLON_DATABASE=DATABASE,
        CARILLON_DATA_DIR=str(world.directory / "data"),
        CARILLON_PORT="0",
        CARILLON_DRAIN_SECONDS="0",
        MONGODB_URL=world.url,
        DATABASE=DATABASE,
        JWT_KEY=world.key.secret,
        JWT_ISSUER=DEVELOPMENT_ISSUER,
        JWT_AUDIENCE=DEVELOPMENT_AUDIENCE,
        TEXTS=_texts(),
        NODE_ENV="production",
    )


@dataclass(frozen=True, slots=True)
class Server:
    """A running server."""

    key: str
    port: int
    pid: int


@asynccontextmanager
async def running(world: World, key: str) -> AsyncIterator[Server]:
    """Start a server, and stop it afterwards."""
    _, command = SERVERS[key]
    output = world.directory / f"{key}.log"
    async with started(command, output, _environment(world)) as process:
        yield Server(key, await port_of(process, output, command), process.pid)


class Helper:
    """A process of this bench that runs commands, one JSON line each."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    async def read_line(self) -> str:
        """Return the next line of its output.

        Raises:
            BenchError: the process has ended.
        """
        if self._process.stdout is None:
            raise BenchError("a helper process has no output pipe")
        line = (await self._process.stdout.readline()).decode().strip()
        if not line:
            raise BenchError("a helper process has ended; its error output is above")
        return line

    async def command(self, **command: Any) -> str:
        """Send a command, and return the line that answers it."""
        if self._process.stdin is None:
            raise BenchError("a helper process has no input pipe")
        self._process.stdin.write(orjson.dumps(command) + b"\n")
        return await self.read_line()


@asynccontextmanager
async def running_helper(module: str, arguments: Sequence[str]) -> AsyncIterator[Helper]:
    """Run a module of the bench in its own process."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
        start_new_session=True,
    )
    try:
        yield Helper(process)
    finally:
        await stop(process)
