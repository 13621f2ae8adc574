"""Starting a gateway: `carillon up` with everything it needs on this machine, and `carillon serve`."""

import asyncio
import os
import shlex
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import FrameType

import orjson
import structlog
from rich.console import Console

from gateway.app import Development, Gateway, running_services
from gateway.auth import KEY_FILE, DevelopmentKey, JwksVerifier, Verifier
from gateway.clock import now
from gateway.config import InvalidSettings, Limits, Settings
from gateway.development import RICHEST_FIRST, issue
from gateway.fields import compilable_schema
from gateway.logs import configure_logs
from gateway.manifest import read_manifest
from gateway.metrics import Metrics
from gateway.progress import progress_bar
from gateway.server import Server, listen
from gateway.workers import run_workers
from models.loading.code_pool import load_codes
from models.mongo.database import connect
from models.mongod.server import EmbeddedServer
from models.programmes.programme_store import apply
from resolvers.core.actor import Role
from resolvers.core.context import Services
from resolvers.imports.campaigns import replay_campaigns
from resolvers.imports.journey import PROGRAMME, import_journey, imported_households

PROGRAMMES = Path(__file__).parents[1] / "programmes"
HOUSEHOLDS_AT_FIRST = 100
# Codes of no worth for the reward of the grocer that gives codes.
DEMO_POOL = "cinema"
DEMO_CODES = 500
TOKEN_TTL = timedelta(hours=12)
READY_QUERY = "{ me { number status { tier { name } next { missing } } points { available } } }"

WHERE = (
    ("Website", "/site/"),
    ("App", "/app/"),
    ("Tablet", "/kiosk/"),
    ("Playground", "/playground/"),
    ("API", "/graphql"),
)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Welcome:
    """What `up` prints: where it is, and a token for each role."""

    number: str | None
    tokens: dict[Role, str]


async def ensure_programme(services: Services) -> None:
    """Apply the grocer's programme where none of that name runs yet; one that runs is left as it is."""
    if services.programmes.find(PROGRAMME) is None:
        source = (PROGRAMMES / f"{PROGRAMME}.yaml").read_text(encoding="utf-8")
        await apply(services.database, source, now=now(), applied_by="up")
        await services.programmes.load()


def verifier_of(settings: Settings) -> Verifier:
    """Return who verifies tokens: the issuer's JWKS, else the development key where this machine has one.

    Raises:
        InvalidSettings: neither is there.
    """
    if settings.jwks_url is not None:
        return JwksVerifier(
            settings.jwks_url,
            issuer=settings.jwt_issuer,
            audience=settings.jwt_audience,
            keep_seconds=settings.jwks_seconds,
        )
    directory = settings.directory()
    if not (directory / KEY_FILE).exists():
        raise InvalidSettings(
            "nobody could be let in: set CARILLON_JWKS_URL to the keys of your token issuer; "
            f"or, to try things out, make a development key in {directory} with `carillon up` or `carillon token`"
        )
    log.warning("development_key_in_use", hint="set CARILLON_JWKS_URL in production")
    return DevelopmentKey.load(directory)


async def _check(url: str, settings: Settings) -> None:
    """Refuse a MongoDB that cannot be used, with the reason, before anything listens."""
    database = connect(url, name=settings.database)
    try:
        await database.prepare()
    finally:
        await database.close()


def _run(gateway: Gateway, settings: Settings, limits: Limits, sock: socket.socket) -> None:
    """Serve until a signal. uvicorn raises the signal again when it is done: then leave, in order."""
    signal.signal(signal.SIGTERM, _leave)
    Server(gateway, settings, limits).run(sockets=[sock])


def _leave(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(0)


def serve(url: str, settings: Settings, limits: Limits) -> None:
    """Serve the API until a signal.

    Raises:
        InvalidSettings: tokens could not be verified, or registered operations not be executed.
        PortTaken: another program listens there.
        DatabaseUnavailable: MongoDB cannot be reached.
        NotAReplicaSet: it can, and is no replica set.
        WorkersFell: there are to be several workers, and they end as soon as they are started.
    """
    verifier_of(settings)
    read_manifest(settings, limits, compilable_schema())
    asyncio.run(_check(url, settings))
    sock = listen(settings.host, settings.port)
    log.info("listening", address="{}:{}".format(*sock.getsockname()[:2]), workers=settings.workers)
    if settings.workers > 1:
        run_workers(partial(_work, url, settings, limits), settings.workers, sock)
    else:
        _serve(url, settings, limits, sock, Metrics())


def _work(url: str, settings: Settings, limits: Limits, sock: socket.socket, metrics_dir: Path) -> None:
    """Serve as one of several workers."""
    configure_logs(settings.log_level)
    _serve(url, settings, limits, sock, Metrics(shared_dir=metrics_dir))


def _serve(url: str, settings: Settings, limits: Limits, sock: socket.socket, metrics: Metrics) -> None:
    gateway = Gateway(
        url=url,
        settings=settings,
        limits=limits,
        verifier=verifier_of(settings),
        manifest=read_manifest(settings, limits, compilable_schema()),
        metrics=metrics,
    )
    _run(gateway, settings, limits, sock)


def up(settings: Settings, limits: Limits, *, households: int | None, fresh: bool, console: Console) -> None:
    """Start everything on this machine and serve until a signal.

    Raises:
        InvalidSettings: registered operations could not be executed.
        DataDirectoryInUse: another `carillon` works on the directory.
        PortTaken: another program listens on the port.
        EmbeddedServerError: the embedded MongoDB cannot run here, or ended by itself; says what to do.
    """
    signal.signal(signal.SIGTERM, _leave)
    directory = settings.directory()
    manifest = read_manifest(settings, limits, compilable_schema())
    sock = listen(settings.host, settings.port)
    key = DevelopmentKey.load(directory)
    with _own_database(settings, console, fresh=fresh) as url:
        welcome = asyncio.run(_prepare(url, settings, limits, key, households=households, console=console))
        gateway = Gateway(
            url=url,
            settings=settings,
            limits=limits,
            verifier=key,
            manifest=manifest,
            development=Development(key, PROGRAMME),
        )
        greet(console, "http://{}:{}".format(*sock.getsockname()[:2]), welcome, directory)
        _run(gateway, settings, limits, sock)


@contextmanager
def _own_database(settings: Settings, console: Console, *, fresh: bool) -> Iterator[str]:
    if settings.mongodb_url is not None:
        yield settings.mongodb_url
        return
    console.print(f"Starting MongoDB in {settings.directory()} ...")
    with EmbeddedServer.start(settings.directory(), purpose="up", fresh=fresh) as server:
        threading.Thread(target=_leave_after, args=(server,), name="mongod-watch", daemon=True).start()
        try:
            yield server.url
        finally:
            fall = server.fall()
            if fall is not None:
                raise fall


def _leave_after(server: EmbeddedServer) -> None:
    """Wait for the end of mongod; where it was not ours, go as at a signal: nothing can be answered any more."""
    server.wait()
    if server.fall() is not None:
        os.kill(os.getpid(), signal.SIGTERM)


async def _prepare(
    url: str, settings: Settings, limits: Limits, key: DevelopmentKey, *, households: int | None, console: Console
) -> Welcome:
    """Apply the programme and import the data where that is not done yet; return what to print."""
    database = connect(url, name=settings.database)
    try:
        async with running_services(database, limits, Metrics(), live=False) as services:
            await ensure_programme(services)
            await _import(services, households, console)
            await load_codes(database, PROGRAMME, DEMO_POOL, (f"DEMO-{number:04d}" for number in range(DEMO_CODES)))
            first = await database.members.find_one({"programme": PROGRAMME}, {"number": 1}, sort=RICHEST_FIRST)
            number = first["number"] if first else None
            tokens = {
                role: await issue(
                    database,
                    key,
                    role=role,
                    programme=PROGRAMME,
                    number=number if role is Role.MEMBER else None,
                    ttl=TOKEN_TTL,
                )
                for role in Role
                if role is not Role.MEMBER or number is not None
            }
            return Welcome(number, tokens)
    finally:
        await database.close()


async def _import(services: Services, households: int | None, console: Console) -> None:
    done = await imported_households(services.database)
    wanted = households if households is not None else (done or HOUSEHOLDS_AT_FIRST)
    if wanted <= done:
        return
    with progress_bar(console, f"Importing the baskets of {wanted} households") as on_progress:
        tally = await import_journey(services, households=wanted, on_progress=on_progress)
    with progress_bar(console, "Replaying their coupons") as on_progress:
        coupons = await replay_campaigns(services, households=wanted, on_progress=on_progress)
    console.print(
        f"{tally.counted:,} baskets counted, {tally.points:,} points given, "
        f"{coupons.redeemed.total():,} coupons redeemed."
    )


def greet(console: Console, address: str, welcome: Welcome, directory: Path) -> None:
    """Print where everything is, a token for each role, and a query that is ready to send."""
    console.print(f"\n[bold]Carillon is up.[/bold]  See it all at [bold]{address}/[/bold]")
    for what, path in WHERE:
        console.print(f"{what:<12}{address}{path}")
    console.print(f"Data, development key and MongoDB's log are in {directory}.\n", style="dim")
    for role, token in welcome.tokens.items():
        whose = f" (member {welcome.number})" if role is Role.MEMBER else ""
        console.print(f"[bold]{role.value}[/bold]{whose}\n{token}\n")
    if welcome.number is not None:
        body = orjson.dumps({"query": READY_QUERY}).decode()
        console.print("[bold]Ask for that member's status:[/bold]")
        console.print(
            f"curl -s {address}/graphql -H 'Content-Type: application/json' "
            f"-H 'Authorization: Bearer {welcome.tokens[Role.MEMBER]}' -d {shlex.quote(body)}\n",
            markup=False,
        )
    console.print("Stop with Ctrl-C. The tokens are valid for 12 hours; `carillon token` prints new ones.", style="dim")
