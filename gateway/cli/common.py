"""Options, database connections and file loading that the commands share."""

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
from loyalty.model.programme import Programme
from models.loading.code_pool import Line
from models.mongo.database import Database, connect
from models.programmes.programme_store import ProgrammeNotFound, Programmes
from resolvers.core.context import Services

T = TypeVar("T")

DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        help="Directory of the embedded MongoDB and the development key (default: carillon in the XDG data home).",
    ),
]


@contextmanager
def database_url(settings: Settings, purpose: str, *, data_dir: Path | None, must_exist: bool = False) -> Iterator[str]:
    """Yield the URL of the command's database.

    `--data-dir` overrides CARILLON_MONGODB_URL. If no embedded server runs in the directory, one is started for the
    duration of the command, which says so. With `must_exist`, the command ends if the directory has no database.
    """
    if settings.mongodb_url is not None and data_dir is None:
        yield settings.mongodb_url
    else:
        from gateway.cli.embedded import attached_server  # noqa: PLC0415 - production never imports the embedded server

        with attached_server(settings.directory(), purpose=purpose, must_exist=must_exist) as url:
            yield url


@asynccontextmanager
async def opened(url: str, settings: Settings) -> AsyncIterator[Database]:
    """Yield the prepared database, and close it afterwards."""
    database = connect(url, name=settings.database)
    try:
        await database.prepare()
        yield database
    finally:
        await database.close()


def with_database(
    purpose: str,
    data_dir: Path | None,
    work: Callable[[Database, Settings], Coroutine[Any, Any, T]],
    *,
    must_exist: bool = True,
) -> T:
    """Run `work` on the database that the command line and the environment select.

    Only a command that stores the first data passes `must_exist=False`: others would find nothing in a new database.
    """
    settings = read_settings(data_dir=data_dir)

    async def run(url: str) -> T:
        async with opened(url, settings) as database:
            return await work(database, settings)

    configure_logs("warning")
    with database_url(settings, purpose, data_dir=data_dir, must_exist=must_exist) as url:
        return asyncio.run(run(url))


def with_services(purpose: str, data_dir: Path | None, work: Callable[[Services], Coroutine[Any, Any, T]]) -> T:
    """Run `work` with the services of a process that follows no changes (`live` is false)."""
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


ProgrammeKey = Annotated[str, typer.Option("--programme", help="Key of the programme.")]


@contextmanager
def file_lines(file: Path) -> Iterator[Iterable[str]]:
    """Yield an iterator over the lines of a file; stop the command if the file cannot be read."""
    try:
        with file.open(encoding="utf-8-sig") as lines:
            yield lines
    except (OSError, UnicodeDecodeError) as error:
        stop(f"{file} cannot be read: {error}")


async def running_programme(database: Database, key: str) -> Programme:
    """Return the programme that data is loaded for, as it runs: nothing would read that of another one.

    Raises:
        ProgrammeNotFound: it was never applied; the message says what to do.
    """
    programmes = Programmes(database)
    await programmes.load()
    running = programmes.find(key)
    if running is None:
        raise ProgrammeNotFound(f"programme {key!r} has not been applied; run `carillon programme apply FILE`")
    return running


def print_refused_lines(lines: list[Line], count: int) -> None:
    """Print the refused lines of a file; `count` is their total, of which `lines` holds the first."""
    for number, text in lines:
        err.print(f"line {number}: {text}", style="red", markup=False)
    if count > len(lines):
        err.print(f"and {count - len(lines):,} more lines", style="red")


Load = Callable[[Database, Programme, Iterable[str]], Awaitable[tuple[str, bool]]]


def load_lines(file: Path, purpose: str, data_dir: Path | None, programme: str, load: Load) -> None:
    """Load the lines of a file for a programme; print the summary that `load` returns, and the seconds it took.

    The command exits with 1 if `load` returns False beside the summary.
    """
    with file_lines(file) as lines:

        async def run(database: Database, _settings: Settings) -> tuple[str, bool]:
            running = await running_programme(database, programme)
            started = monotonic()
            summary, is_complete = await load(database, running, lines)
            return f"{summary}, in {monotonic() - started:.1f} s.", is_complete

        summary, is_complete = with_database(purpose, data_dir, run)
    out.print(summary)
    if not is_complete:
        raise typer.Exit(1)
