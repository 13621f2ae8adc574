"""The command line: `carillon`. Each command translates its arguments and calls a floor below."""

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Annotated, Any, NoReturn, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from gateway import up as starting
from gateway.app import running_services
from gateway.auth import DevelopmentKey
from gateway.clock import now
from gateway.config import InvalidSettings, Settings, read_limits, read_settings
from gateway.development import UnknownMember, issue
from gateway.logs import configure_logs
from gateway.metrics import Metrics
from gateway.progress import count_bar, progress_bar
from gateway.server import PortTaken
from gateway.workers import WorkersFell
from models.definitions.programme_file import InvalidProgramme, differences, read_programme
from models.loading.audience_list import LoadOvertaken, audience_list, load_list
from models.loading.code_pool import InvalidLoad, Line, checked_name, load_codes, pool_counts
from models.loading.complete_journey import DataMissing
from models.mongo.database import Database, DatabaseUnavailable, connect
from models.mongo.replica_set import NotAReplicaSet
from models.mongod.errors import EmbeddedServerError
from models.mongod.server import attach_or_start
from models.programmes.programme_store import ProgrammeNotFound, newest_version
from models.programmes.programme_store import apply as apply_programme
from resolvers.audit.audit import Findings
from resolvers.audit.audit import audit as run_audit
from resolvers.core.actor import Role
from resolvers.core.context import Services
from resolvers.imports.campaigns import replay_campaigns
from resolvers.imports.journey import PROGRAMME, HouseholdRefused, ImportInterrupted, import_journey
from schema.build import RIGHTS_FILE, SDL_FILE, executable_schema, sdl
from schema.wire.access import rights_table

T = TypeVar("T")

DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", help="The embedded MongoDB's directory (default: carillon in the XDG data home)."),
]

app = typer.Typer(
    name="carillon",
    help="The GraphQL gateway of an omnichannel loyalty programme.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
programme_app = typer.Typer(help="Programmes as files: check, plan, apply.", no_args_is_help=True)
import_app = typer.Typer(help="Bring data in.", no_args_is_help=True)
codes_app = typer.Typer(help="Pools of codes that rewards and offers give: load, show.", no_args_is_help=True)
audience_app = typer.Typer(help="Lists of members that offers and rewards are for: load, show.", no_args_is_help=True)
app.add_typer(programme_app, name="programme")
app.add_typer(import_app, name="import")
app.add_typer(codes_app, name="codes")
app.add_typer(audience_app, name="audience")

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

TOLD = (
    DataMissing,
    DatabaseUnavailable,
    EmbeddedServerError,
    NotAReplicaSet,
    HouseholdRefused,
    ImportInterrupted,
    InvalidLoad,
    InvalidProgramme,
    InvalidSettings,
    LoadOvertaken,
    PortTaken,
    ProgrammeNotFound,
    UnknownMember,
    WorkersFell,
)
_TTL = re.compile(r"(\d{1,6})([smhd])")
_TTL_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def stop(message: str, code: int = 1) -> NoReturn:
    """Say what is wrong and what to do, and end with `code`."""
    err.print(message, style="red", markup=False)
    raise typer.Exit(code)


@contextmanager
def database_url(settings: Settings, purpose: str, *, data_dir: Path | None) -> Iterator[str]:
    """Give the URL of the database that a command works on.

    A directory named on the command line wins over CARILLON_MONGODB_URL. The embedded server that runs in the
    directory is used; where none runs, one is started for the command's own time.
    """
    if settings.mongodb_url is not None and data_dir is None:
        yield settings.mongodb_url
    else:
        with attach_or_start(settings.directory(), purpose=purpose) as server:
            yield server.url


@asynccontextmanager
async def opened(url: str, settings: Settings) -> AsyncIterator[Database]:
    """Give the database, prepared."""
    database = connect(url, name=settings.database)
    try:
        await database.prepare()
        yield database
    finally:
        await database.close()


def with_database(
    purpose: str, data_dir: Path | None, work: Callable[[Database, Settings], Coroutine[Any, Any, T]]
) -> T:
    """Run `work` on the database that the command line and the environment name."""
    settings = read_settings(data_dir=data_dir)

    async def run(url: str) -> T:
        async with opened(url, settings) as database:
            return await work(database, settings)

    configure_logs("warning")
    with database_url(settings, purpose, data_dir=data_dir) as url:
        return asyncio.run(run(url))


def with_services(purpose: str, data_dir: Path | None, work: Callable[[Services], Coroutine[Any, Any, T]]) -> T:
    """Run `work` with a process's services."""
    settings = read_settings(data_dir=data_dir)

    async def run(url: str) -> T:
        database = connect(url, name=settings.database)
        try:
            async with running_services(database, read_limits(), Metrics(), live=False) as services:
                return await work(services)
        finally:
            await database.close()

    configure_logs("warning")
    with database_url(settings, purpose, data_dir=data_dir) as url:
        return asyncio.run(run(url))


def parsed_ttl(text: str) -> timedelta:
    """Return a duration such as 30s, 15m, 1h or 7d."""
    match = _TTL.fullmatch(text)
    if match is None or int(match[1]) == 0:
        raise typer.BadParameter("write a duration such as 30s, 15m, 1h or 7d")
    return timedelta(**{_TTL_UNITS[match[2]]: int(match[1])})


@app.command()
def up(
    port: Annotated[int, typer.Option(help="Port of the pages and the API.")] = 8000,
    data_dir: DataDir = None,
    households: Annotated[
        int | None, typer.Option(min=0, help="Households of the real data to import (100 at the first start).")
    ] = None,
    *,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget the directory's data first.")] = False,
) -> None:
    """Start everything on this machine: embedded MongoDB, real data, API, pages, tokens."""
    settings = read_settings(data_dir=data_dir, port=port)
    configure_logs("warning")
    starting.up(settings, read_limits(), households=households, fresh=fresh, console=out)


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on (CARILLON_HOST).")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on (CARILLON_PORT).")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes that serve (CARILLON_WORKERS).", min=1)] = None,
    data_dir: DataDir = None,
) -> None:
    """Serve the API with the settings of the environment (CARILLON_*)."""
    settings = read_settings(data_dir=data_dir, host=host, port=port, workers=workers)
    limits = read_limits()
    configure_logs(settings.log_level)
    with database_url(settings, "serve", data_dir=data_dir) as url:
        starting.serve(url, settings, limits)


@app.command()
def token(
    role: Annotated[Role, typer.Option(help="Who the token stands for.")],
    member: Annotated[str | None, typer.Option(help="The membership number, for role member.")] = None,
    ttl: Annotated[str, typer.Option(help="How long it is valid: 30s, 15m, 1h, 7d.")] = "1h",
    programme: Annotated[str, typer.Option(help="The programme it is for.")] = PROGRAMME,
    data_dir: DataDir = None,
) -> None:
    """Print a development token, signed with the data directory's key."""
    lifetime = parsed_ttl(ttl)
    settings = read_settings(data_dir=data_dir)
    key = DevelopmentKey.load(settings.directory())
    if role is Role.MEMBER:

        async def signed(database: Database, _settings: Settings) -> str:
            return await issue(database, key, role=role, programme=programme, number=member, ttl=lifetime)

        text = with_database("token", data_dir, signed)
    else:
        text = asyncio.run(issue(None, key, role=role, programme=programme, number=member, ttl=lifetime))
    sys.stdout.write(text + "\n")


def read_file(file: Path) -> str:
    """Return the text of a programme file."""
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        stop(f"{file} cannot be read: {error}")


ProgrammeFile = Annotated[Path, typer.Argument(metavar="FILE", help="The programme file (YAML).")]


@programme_app.command()
def check(file: ProgrammeFile) -> None:
    """Say whether a programme file can run; every fault with its line."""
    programme = read_programme(read_file(file))
    out.print(
        f"{file}: programme {programme.key!r} can run: "
        f"{len(programme.tiers)} tiers, {len(programme.rules)} rules, {len(programme.event_types)} event types."
    )


@programme_app.command()
def plan(file: ProgrammeFile, data_dir: DataDir = None) -> None:
    """Show how a programme file differs from what runs; nothing is changed."""
    source = read_file(file)
    programme = read_programme(source)

    async def running(database: Database, _settings: Settings) -> dict[str, Any] | None:
        return await newest_version(database, programme.key)

    stored = with_database("plan", data_dir, running)
    found = differences(stored["source"] if stored else None, source)
    title = f"{programme.key}: version {stored['version']} runs" if stored else f"{programme.key}: nothing runs yet"
    if not found:
        out.print(f"{title}; the file says the same.")
        return
    table = Table("place", "runs", "file", title=title, title_justify="left")
    for difference in found:
        table.add_row(difference.place, _shown(difference.before), _shown(difference.after))
    out.print(table)
    out.print(f"{len(found)} differences. `carillon programme apply {file}` makes them version ", end="")
    out.print(f"{(stored['version'] if stored else 0) + 1}.")


def _shown(value: Any) -> str:
    return "-" if value is None else str(value)


@programme_app.command()
def apply(file: ProgrammeFile, data_dir: DataDir = None) -> None:
    """Store a programme file as the next version; running gateways follow it without a restart."""
    source = read_file(file)

    async def store(database: Database, _settings: Settings) -> tuple[dict[str, Any], bool]:
        return await apply_programme(database, source, now=now(), applied_by="cli")

    document, is_new = with_database("apply", data_dir, store)
    if is_new:
        out.print(f"Programme {document['programme']!r} is version {document['version']} now.")
    else:
        out.print(f"Nothing to apply: version {document['version']} of {document['programme']!r} says the same.")


@import_app.command("complete-journey")
def import_complete_journey(
    households: Annotated[int | None, typer.Option(min=1, help="Only the first so many of 2,469 households.")] = None,
    until: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Only baskets up to this day of the data's own calendar (2017)."),
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Import the real data: a year of a grocer's baskets. Can be interrupted and run again; nothing counts twice."""
    last_day: date | None = until.date() if until is not None else None

    async def run(services: Services) -> str:
        await starting.ensure_programme(services)
        started = monotonic()
        with progress_bar(err, "Importing baskets") as on_progress:
            tally = await import_journey(services, households=households, until=last_day, on_progress=on_progress)
        seconds = monotonic() - started
        with progress_bar(err, "Replaying coupons") as on_progress:
            coupons = await replay_campaigns(services, households=households, until=last_day, on_progress=on_progress)
        done = tally.counted + tally.replayed
        return (
            f"{tally.counted:,} events counted ({tally.points:,} points), {tally.replayed:,} counted before, "
            f"{tally.refused:,} refused, in {seconds:.1f} s: {done / seconds:,.0f} events/s.\n"
            f"{coupons.redeemed.total():,} coupons redeemed in {len(coupons.redeemed)} campaigns "
            f"({coupons.replayed:,} of them before), {coupons.refused.total():,} refused; {coupons.offers:,} offers."
        )

    out.print(with_services("import", data_dir, run))


ProgrammeKey = Annotated[str, typer.Option("--programme", help="The programme it is for.")]
Pool = Annotated[str, typer.Argument(metavar="POOL", help="The pool, as rewards and offers name it.")]
ListName = Annotated[str, typer.Argument(metavar="LIST", help="The list, as audiences name it.")]


@contextmanager
def file_lines(file: Path) -> Iterator[Iterable[str]]:
    """Give the lines of a file, one after the other."""
    try:
        with file.open(encoding="utf-8-sig") as lines:
            yield lines
    except (OSError, UnicodeDecodeError) as error:
        stop(f"{file} cannot be read: {error}")


async def require_programme(database: Database, programme: str) -> None:
    """Refuse a programme that was never applied: nothing would ever look at what is loaded for it.

    Raises:
        ProgrammeNotFound: it says what to do.
    """
    if await newest_version(database, programme) is None:
        raise ProgrammeNotFound(f"no programme {programme!r} was applied; run `carillon programme apply FILE`")


def tell_lines(told: list[Line], count: int) -> None:
    """Say which lines of a file were left out, as far as they were kept."""
    for number, text in told:
        err.print(f"line {number}: {text}", style="red", markup=False)
    if count > len(told):
        err.print(f"and {count - len(told):,} lines more", style="red")


Load = Callable[[Database, Iterable[str]], Awaitable[str]]


def load_lines(file: Path, what: str, data_dir: Path | None, programme: str, load: Load) -> None:
    """Load the lines of a file for a programme, and print what that did and how long it took."""
    with file_lines(file) as lines:

        async def run(database: Database, _settings: Settings) -> str:
            await require_programme(database, programme)
            started = monotonic()
            told = await load(database, lines)
            return f"{told}, in {monotonic() - started:.1f} s."

        out.print(with_database(what, data_dir, run))


@codes_app.command("load")
def load_pool(
    pool: Pool,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The codes, one a line.")],
    programme: ProgrammeKey = PROGRAMME,
    data_dir: DataDir = None,
) -> None:
    """Add codes to a pool. A code that is in it already stays as it is: each is given once, ever."""

    async def load(database: Database, lines: Iterable[str]) -> str:
        with count_bar(err, "Loading codes") as on_progress:
            tally = await load_codes(database, programme, pool, lines, on_progress=on_progress)
        tell_lines(tally.told, tally.refused)
        return (
            f"{tally.loaded:,} codes loaded into pool {pool!r}, {tally.known:,} were there already, "
            f"{tally.refused:,} lines refused"
        )

    load_lines(file, "codes", data_dir, programme, load)


@codes_app.command("show")
def show_pool(pool: Pool, programme: ProgrammeKey = PROGRAMME, data_dir: DataDir = None) -> None:
    """Show how many codes of a pool are free, held, given and void."""
    checked_name(pool, "pool")

    async def count(database: Database, _settings: Settings) -> None:
        await require_programme(database, programme)
        for state, codes in (await pool_counts(database, programme, pool)).items():
            out.print(f"  {state.value:<12} {codes:>15,}")

    with_database("codes", data_dir, count)


@audience_app.command("load")
def load_audience(
    name: ListName,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The members: a membership number, card or e-mail a line.")
    ],
    programme: ProgrammeKey = PROGRAMME,
    data_dir: DataDir = None,
) -> None:
    """Make a list what a file says: members that are not in the file are taken off it."""

    async def load(database: Database, lines: Iterable[str]) -> str:
        with count_bar(err, "Loading members") as on_progress:
            tally = await load_list(database, programme, name, lines, now=now(), on_progress=on_progress)
        tell_lines([(number, f"nobody has {text!r}") for number, text in tally.told], tally.unknown)
        return (
            f"{tally.members:,} members are on list {name!r} now, {tally.removed:,} were taken off it; "
            f"{tally.unknown:,} lines name nobody, {tally.repeated:,} somebody named before"
        )

    load_lines(file, "audience", data_dir, programme, load)


@audience_app.command("show")
def show_audience(name: ListName, programme: ProgrammeKey = PROGRAMME, data_dir: DataDir = None) -> None:
    """Show how many members are on a list, and when it was loaded."""
    checked_name(name, "list")

    async def count(database: Database, _settings: Settings) -> str:
        await require_programme(database, programme)
        found = await audience_list(database, programme, name)
        if found.loaded_at is None:
            return f"List {name!r} was never loaded."
        return f"List {name!r}: {found.members:,} members; loaded at {found.loaded_at.isoformat(timespec='seconds')}."

    out.print(with_database("audience", data_dir, count))


def _print_findings(findings: Findings) -> None:
    for account, points in sorted(findings.balances.items()):
        out.print(f"  {account.value:<12} {points:>15,}")
    for offer, over in findings.overruns.items():
        out.print(f"offer {offer}: its budget is outrun by {over:,} (points, or hundredths of money)", markup=False)
    for broken in findings.broken:
        for fault in broken.faults:
            out.print(f"member {broken.number} ({broken.member}): {fault}", style="red", markup=False)
    for supply in findings.broken_supplies:
        for fault in supply.faults:
            out.print(f"{supply.name}: {fault}", style="red", markup=False)


@app.command()
def audit(data_dir: DataDir = None) -> None:
    """Prove that every point, order, hold, piece and code is accounted for. Exit 1 where something does not hold."""

    async def run(database: Database, _settings: Settings) -> int:
        with progress_bar(err, "Auditing members") as on_progress:
            findings = await run_audit(database, on_progress=on_progress)
        _print_findings(findings)
        looked_at = (
            f"{findings.members:,} members, {findings.records:,} versions, {findings.orders:,} orders, "
            f"{findings.holds:,} holds, {findings.codes:,} codes, {findings.counters:,} counters"
        )
        if findings.all_holds:
            out.print(
                f"Everything holds: {looked_at}; points conserved, lots = balance, a record for each version, "
                "hash chains whole, each event counted once, newest entries, caps and write-offs as in the ledger, "
                "each number, card, e-mail and phone its member's, orders and holds = points spent and held, "
                "each code in one place, counters = what was taken."
            )
            return 0
        if findings.broken_count:
            out.print(
                f"{findings.broken_count:,} of {findings.members:,} members do not hold; "
                f"the first {len(findings.broken)} are named above.",
                style="red",
            )
        if findings.broken_supply_count:
            out.print(
                f"{findings.broken_supply_count:,} counters and codes do not hold; "
                f"the first {len(findings.broken_supplies)} are named above.",
                style="red",
            )
        return 1

    raise typer.Exit(with_database("audit", data_dir, run))


@app.command()
def schema(
    *,
    rights: Annotated[bool, typer.Option("--rights", help="The table of fields and roles instead.")] = False,
    check_committed: Annotated[
        bool, typer.Option("--check", help="Compare both with the committed files; exit 1 where they differ.")
    ] = False,
) -> None:
    """Print the schema that is served (SDL)."""
    table, text = rights_table(executable_schema()), sdl()
    if not check_committed:
        sys.stdout.write(table if rights else text)
        return
    stale = [
        str(path)
        for path, served in ((SDL_FILE, text), (RIGHTS_FILE, table))
        if not path.exists() or path.read_text(encoding="utf-8") != served
    ]
    if stale:
        stop(f"not what is served: {', '.join(stale)}; run `make schema` and review the difference")
    out.print("schema.graphql and rights.md are what is served.")


def main() -> None:
    """Run the command line; what people can mend is told in a sentence, without a stack of calls."""
    try:
        app()
    except TOLD as error:
        err.print(str(error), style="red", markup=False)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
