"""What the commands share: options, consoles, and the database they work on."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from time import monotonic
from typing import Annotated, Any, TypeVar

import typer

from gateway.app import running_services
from gateway.cli.console import err, out, stop
from gateway.config import Settings, read_limits, read_settings
from gateway.observability.logs import configure_logs
from gateway.observability.metrics import Metrics
from models.loading.code_pool import Line
from models.mongo.database import Database, connect
from models.programmes.programme_store import ProgrammeNotFound, newest_version
from resolvers.core.context import Services

T = TypeVar("T")

DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", help="The embedded MongoDB's directory (default: carillon in the XDG data home)."),
]


@contextmanager
def database_url(settings: Settings, purpose: str, *, data_dir: Path | None) -> Iterator[str]:
    """Give the URL of the database that a command works on.

    A directory named on the command line wins over CARILLON_MONGODB_URL. The embedded server that runs in the
    directory is used; where none runs, one is started for the command's own time.
    """
    if settings.mongodb_url is not None and data_dir is None:
        yield settings.mongodb_url
    else:
        from gateway.cli.embedded import attached_server  # noqa: PLC0415 - production never imports the embedded server

        with attached_server(settings.directory(), purpose=purpose) as url:
            yield url


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


ProgrammeKey = Annotated[str, typer.Option("--programme", help="The programme it is for.")]


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
