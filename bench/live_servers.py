"""The servers that are told of changes, each a process of its own, and the processes that write and listen."""

import asyncio
import os
import re
import resource
import signal
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from bench.gateway import CARILLON
from bench.http import BenchError
from bench.live_world import DATABASE, PROGRAMME_FILE, World
from gateway.auth import DEVELOPMENT_AUDIENCE, DEVELOPMENT_ISSUER
from models.programme_file import read_programme
from schema.text import catalogue

ROOT = Path(__file__).parents[1]
NODE_PEER = Path(__file__).parent / "peers" / "live-node" / "server.mjs"
START_SECONDS_MAX = 60
_ADDRESS = re.compile(r"127\.0\.0\.1:(\d+)")

SERVERS: dict[str, tuple[str, tuple[str, ...]]] = {
    "carillon": ("Carillon", (str(CARILLON), "serve")),
    "graphql-ws": ("graphql-ws on Node", ("node", str(NODE_PEER))),
    "strawberry": ("Strawberry as it comes", (sys.executable, "-m", "bench.peers.live_strawberry")),
    "bare": ("no GraphQL, bare ASGI sends", (sys.executable, "-m", "bench.peers.live_bare")),
}


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU time so far in seconds, and resident memory in KiB."""

    cpu_seconds: float
    rss_kib: float


def usage(pid: int) -> Usage:
    """Return what a process has taken."""
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    seconds = (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")
    return Usage(seconds, pages * os.sysconf("SC_PAGE_SIZE") / 1024)


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
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CARILLON_")}
    return {
        **kept,
        "CARILLON_MONGODB_URL": world.url,
        "CARILLON_DATABASE": DATABASE,
        "CARILLON_DATA_DIR": str(world.place / "data"),
        "CARILLON_PORT": "0",
        "CARILLON_DRAIN_SECONDS": "0",
        "MONGODB_URL": world.url,
        "DATABASE": DATABASE,
        "JWT_KEY": world.key.secret,
        "JWT_ISSUER": DEVELOPMENT_ISSUER,
        "JWT_AUDIENCE": DEVELOPMENT_AUDIENCE,
        "WORDS": _words(),
        "NODE_ENV": "production",
    }


def _allow_many_files() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


@dataclass(frozen=True, slots=True)
class Server:
    """A running server."""

    key: str
    port: int
    pid: int


@asynccontextmanager
async def running(world: World, key: str) -> AsyncIterator[Server]:
    """Start a server, and end it afterwards."""
    output = world.place / f"{key}.log"
    with output.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            *SERVERS[key][1],
            stdout=file,
            stderr=file,
            cwd=ROOT,
            env=_environment(world),
            start_new_session=True,
            preexec_fn=_allow_many_files,
        )
    try:
        yield Server(key, await _port(process, output), process.pid)
    finally:
        await _ended(process)


async def _port(process: asyncio.subprocess.Process, output: Path) -> int:
    deadline = time.monotonic() + START_SECONDS_MAX
    while process.returncode is None and time.monotonic() < deadline:
        for line in _said(output).splitlines():
            found = _ADDRESS.search(line) if "listening" in line else None
            if found is not None:
                return int(found[1])
        await asyncio.sleep(0.05)
    raise BenchError(f"a server did not start:\n{_said(output)[-2000:]}")


def _said(output: Path) -> str:
    return output.read_text(encoding="utf-8", errors="replace")


async def _ended(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(10):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


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
        await _ended(process)
