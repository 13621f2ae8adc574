"""The measured servers, each in its own process: Carillon, its peers, and the upper limits without GraphQL."""

import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.gateway import CARILLON
from bench.processes import Usage, port_of, server_environment, started, usage
from bench.world import MEMBERS, World
from gateway.auth.development_key import DEVELOPMENT_AUDIENCE, DEVELOPMENT_ISSUER

NODE_PEERS = Path(__file__).parent / "peers"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of server. `loads` are the names of loads that it supports; empty means all.

    `is_warm_only` means that it is only members that it has already read are measured.
    """

    title: str
    command: tuple[str, ...]
    loads: frozenset[str] = frozenset()
    is_warm_only: bool = False


def _node(peer: str) -> tuple[str, ...]:
    return ("node", str(NODE_PEERS / "serve.mjs"), peer)


def _python(module: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", module, *arguments)


_WITHOUT_GRAPHQL = frozenset({"home", "kiosk"})
_READS = frozenset({"home", "kiosk", "deep", "catalogue"})
CARILLON_KEY = "carillon"
KINDS: dict[str, Kind] = {
    CARILLON_KEY: Kind("Carillon", (*CARILLON, "serve")),
    "mercurius-jit": Kind("Mercurius with JIT", _node("mercurius-jit")),
    "mercurius": Kind("Mercurius", _node("mercurius")),
    "mercurius-collections": Kind("Mercurius with JIT, a read per collection", _node("mercurius-collections"), _READS),
    "yoga": Kind("GraphQL Yoga", _node("yoga")),
    "apollo": Kind("Apollo Server", _node("apollo")),
    "strawberry": Kind("Strawberry, default setup", _python("bench.peers.strawberry_peer"), _READS),
    "ariadne": Kind("Ariadne", _python("bench.peers.ariadne_peer"), _READS),
    "limit-one": Kind("no GraphQL, one find_one", _python("bench.limits", "one"), _WITHOUT_GRAPHQL),
    "limit-batched": Kind("no GraphQL, a batched read", _python("bench.limits", "batched"), _WITHOUT_GRAPHQL),
    "limit-memory": Kind(
        "no GraphQL, no database", _python("bench.limits", "memory"), _WITHOUT_GRAPHQL, is_warm_only=True
    ),
}


@dataclass(frozen=True, slots=True)
class Server:
    """A running server."""

    key: str
    port: int
    pid: int

    def usage(self) -> Usage:
        """Return the usage so far of the server and its descendants."""
        return usage(self.pid)


def _environment(world: World, members: str) -> dict[str, str]:
    """Return the settings of all servers: Carillon's own, with default limits, and those of the peers."""
    return server_environment(
        CARILLON_MONGODB_URL=world.url,
        CARILLON_DATABASE=world.database.db.name,
        CARILLON_DATA_DIR=str(world.directory / "data"),
        CARILLON_PORT="0",
        CARILLON_DRAIN_SECONDS="0",
        MONGODB_URL=world.url,
        DATABASE=world.database.db.name,
        MEMBERS=members,
        PROGRAMME_FILE=str(world.programme_file),
        JWT_KEY=world.key.secret,
        JWT_ISSUER=DEVELOPMENT_ISSUER,
        JWT_AUDIENCE=DEVELOPMENT_AUDIENCE,
        NODE_ENV="production",
    )


@asynccontextmanager
async def running(
    world: World,
    key: str,
    *,
    members: str = MEMBERS,
    gateway_args: Sequence[str] = (),
    settings: Mapping[str, str] | None = None,
) -> AsyncIterator[Server]:
    """Start a server, and stop it afterwards.

    `members` is the collection that peers read, `gateway_args` are added to Carillon's command line, `settings` to its
    environment.
    """
    command = [*KINDS[key].command, *(gateway_args if key == CARILLON_KEY else ())]
    output = world.file(f"{key}-{members}.log")
    async with started(command, output, {**_environment(world, members), **(settings or {})}) as process:
        yield Server(key, await port_of(process, output, command), process.pid)
