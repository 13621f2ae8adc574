"""`carillon up`: everything on this machine, with real data."""

import asyncio
import shlex
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.console import Console

from gateway.app import Development, Gateway, running_services
from gateway.auth.development_key import DevelopmentKey
from gateway.cli.common import DataDir
from gateway.cli.console import out
from gateway.cli.progress import progress_bar
from gateway.cli.start import leave, run, warn_without_pgo
from gateway.clock import now
from gateway.config import Limits, Settings, read_limits, read_settings
from gateway.observability.interpreter import is_optimised
from gateway.observability.logs import configure_logs
from gateway.observability.metrics import Metrics
from gateway.operations.compiler_hints import compilable_schema
from gateway.operations.manifest import read_manifest
from gateway.server import listen
from gateway.site.development import RICHEST_FIRST, issue
from models.loading.code_pool import load_codes
from models.migrations.runner import migrate
from models.mongo.database import connect
from models.programmes.programme_store import apply_file
from resolvers.core.actor import Role
from resolvers.core.context import Services
from resolvers.imports.campaigns import replay_campaigns
from resolvers.imports.journey import PROGRAMME, import_journey, imported_households

PROGRAMMES = Path(__file__).parents[2] / "programmes"
HOUSEHOLDS_DEFAULT = 100
# Worthless codes, for the grocer's reward that issues codes.
DEMO_POOL = "cinema"
DEMO_CODES = 500
TOKEN_TTL = timedelta(hours=12)
READY_QUERY = "{ me { number status { tier { name } next { missing } } points { available } } }"

ENDPOINTS = (
    ("Website", "/site/"),
    ("App", "/app/"),
    ("Tablet", "/kiosk/"),
    ("Playground", "/playground/"),
    ("API", "/graphql"),
)


def up(
    port: Annotated[int, typer.Option(help="Port to listen on, for the pages and the API.")] = 8000,
    data_dir: DataDir = None,
    households: Annotated[
        int | None,
        typer.Option(
            min=0, help="Number of households to import from the real data (default: 100 at the first start)."
        ),
    ] = None,
    *,
    fresh: Annotated[bool, typer.Option("--fresh", help="Delete the database in the data directory first.")] = False,
) -> None:
    """Start everything on this machine: embedded MongoDB, real data, API, pages and tokens."""
    settings = read_settings(data_dir=data_dir, port=port)
    configure_logs("warning")
    start_all(settings, read_limits(), households=households, fresh=fresh, console=out)


@dataclass(frozen=True, slots=True)
class Welcome:
    """What `up` prints: the richest member's number, None if there are no members, and a token per role."""

    number: str | None
    tokens: dict[Role, str]


async def ensure_programme(services: Services) -> None:
    """Apply the grocer's programme unless a version of it is already running."""
    if services.programmes.find(PROGRAMME) is None:
        source = (PROGRAMMES / f"{PROGRAMME}.yaml").read_text(encoding="utf-8")
        await apply_file(services.database, source, now=now(), applied_by="up")
        await services.programmes.load()


def start_all(settings: Settings, limits: Limits, *, households: int | None, fresh: bool, console: Console) -> None:
    """Start everything on this machine and serve until a signal.

    Raises:
        InvalidSettings: a registered operation is invalid.
        DataDirectoryInUse: another `carillon` uses the directory.
        PortTaken: another program listens on the port.
        EmbeddedServerError: the embedded MongoDB cannot run here, or ended unexpectedly; the message says what to do.
    """
    signal.signal(signal.SIGTERM, leave)
    directory = settings.directory()
    manifest = read_manifest(settings, limits, compilable_schema())
    sock = listen(settings.host, settings.port)
    warn_without_pgo(optimised=is_optimised())
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
        run(gateway, settings, limits, sock)


async def _prepare(
    url: str, settings: Settings, limits: Limits, key: DevelopmentKey, *, households: int | None, console: Console
) -> Welcome:
    """Apply the programme, import missing data and load the demo codes; return what to print."""
    database = connect(url, name=settings.database)
    try:
        async with running_services(database, limits, Metrics(), live=False) as services:
            await ensure_programme(services)
            await migrate(database)
            await _import(services, households, console)
            await load_codes(
                database,
                PROGRAMME,
                DEMO_POOL,
                (f"DEMO-{number:04d}" for number in range(DEMO_CODES)),
                catalogue=services.programmes.get(PROGRAMME).catalogue,
            )
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
    wanted = households if households is not None else (done or HOUSEHOLDS_DEFAULT)
    if wanted <= done:
        return
    with progress_bar(console, f"Importing the baskets of {wanted} households") as on_progress:
        tally = await import_journey(services, households=wanted, on_progress=on_progress)
    with progress_bar(console, "Replaying their coupons") as on_progress:
        coupons = await replay_campaigns(services, households=wanted, on_progress=on_progress)
    console.print(
        f"{tally.counted:,} baskets counted, {tally.points:,} points earned, "
        f"{coupons.redeemed.total():,} coupons redeemed."
    )


def greet(console: Console, address: str, welcome: Welcome, directory: Path) -> None:
    """Print the addresses, a token per role, and a query that is ready to send."""
    console.print(f"\n[bold]Carillon is up.[/bold]  Open [bold]{address}/[/bold]")
    for name, path in ENDPOINTS:
        console.print(f"{name:<12}{address}{path}")
    console.print(f"The data, the development key and MongoDB's log are in {directory}.\n", style="dim")
    for role, token in welcome.tokens.items():
        holder = f" (member {welcome.number})" if role is Role.MEMBER else ""
        console.print(f"[bold]{role.value}[/bold]{holder}\n{token}\n")
    if welcome.number is not None:
        body = orjson.dumps({"query": READY_QUERY}).decode()
        console.print("[bold]Query that member's status:[/bold]")
        console.print(
            f"curl -s {address}/graphql -H 'Content-Type: application/json' "
            f"-H 'Authorization: Bearer {welcome.tokens[Role.MEMBER]}' -d {shlex.quote(body)}\n",
            markup=False,
        )
    console.print("Stop with Ctrl-C. The tokens are valid for 12 hours; `carillon token` prints new ones.", style="dim")


@contextmanager
def _own_database(settings: Settings, console: Console, *, fresh: bool) -> Iterator[str]:
    if settings.mongodb_url is not None:
        yield settings.mongodb_url
        return
    from gateway.cli.embedded import own_server  # noqa: PLC0415 - production never imports the embedded server

    console.print(f"Starting MongoDB in {settings.directory()} ...")
    with own_server(settings.directory(), fresh=fresh) as url:
        yield url
