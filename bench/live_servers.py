"""The servers that are told of changes, each a process of its own, and the processes that write and listen."""

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
from bench.live_world import DATABASE, PROGRAMME_FILE, World
from bench.processes import own_environment, port_of, started, stop
from gateway.auth.development_key import DEVELOPMENT_AUDIENCE, DEVELOPMENT_ISSUER
from models.definitions.programme_file import read_programme
from schema.wire.text import catalogue

ROOT = Path(__file__).parents[1]
NODE_PEER = Path(__file__).parent / "peers" / "live-node" / "server.mjs"

SERVERS: dict[str, tuple[str, tuple[str, ...]]] = {
    "carillon": ("Carillon", (str(CARILLON), "serve")),
    "graphql-ws": ("graphql-ws on Node", ("node", str(NODE_PEER))),
    "strawberry": ("Strawberry as it comes", (sys.executable, "-m", "bench.peers.live_strawberry")),
    "bare": ("no GraphQL, bare ASGI sends", (sys.executable, "-m", "bench.peers.live_bare")),
}


def _words() -> str:
    """Return the words of an answer in English, for peers."""
    programme = read_programme(PROGRAMME_FILE.read_text(encoding="utf-8"), version=1)
    labels = dict(catalogue("en")["labels"])
    for key, declared in programme.event_types.items():
        if declared.name is not None:
            labels[key] = declared.name.in_locale("en")
    tiers = {tier.key: tier.name.in_locale("en") for tier in programme.tiers}
    return orjson.dumps({"labels": labels, "tiers": tiers}).decode()


def _environment(world: World) -> dict[str, str]:
    return own_environment(
        CARILLON_MONGODB_URL=world.url,
        CARILLON_DATABASE=DATABASE,
        CARILLON_DATA_DIR=str(world.place / "data"),
        CARILLON_PORT="0",
        CARILLON_DRAIN_SECONDS="0",
        MONGODB_URL=world.url,
        DATABASE=DATABASE,
        JWT_KEY=world.key.secret,
        JWT_ISSUER=DEVELOPMENT_ISSUER,
        JWT_AUDIENCE=DEVELOPMENT_AUDIENCE,
        WORDS=_words(),
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
    """Start a server, and end it afterwards."""
    _, command = SERVERS[key]
    output = world.place / f"{key}.log"
    async with started(command, output, _environment(world)) as process:
        yield Server(key, await port_of(process, output, command), process.pid)


class Helper:
    """A process of this bench that does what it is asked, line by line."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    async def told(self) -> str:
        """Return the next line that it says."""
        if self._process.stdout is None:
            raise BenchError("a helper cannot be heard")
        line = (await self._process.stdout.readline()).decode().strip()
        if not line:
            raise BenchError("a process of the bench has ended; what it said is above")
        return line

    async def ask(self, **what: Any) -> str:
        """Ask something, and return the answer."""
        if self._process.stdin is None:
            raise BenchError("a helper cannot be asked")
        self._process.stdin.write(orjson.dumps(what) + b"\n")
        return await self.told()


@asynccontextmanager
async def helping(module: str, arguments: Sequence[str]) -> AsyncIterator[Helper]:
    """Run a module of the bench as a process of its own."""
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
