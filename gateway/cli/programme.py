"""`carillon programme`: programmes as files."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from gateway.cli.common import DataDir, with_database
from gateway.cli.console import out, stop
from gateway.clock import now
from gateway.config import Settings
from models.definitions.programme_file import differences, read_programme
from models.migrations.runner import migrate
from models.mongo.database import Database
from models.programmes.programme_store import apply_file as apply_programme
from models.programmes.programme_store import newest_version

programme_app = typer.Typer(help="Check, plan and apply programme files.", no_args_is_help=True)


def read_file(file: Path) -> str:
    """Return the text of a programme file; stop the command if it cannot be read."""
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        stop(f"{file} cannot be read: {error}")


ProgrammeFile = Annotated[Path, typer.Argument(metavar="FILE", help="Programme file (YAML).")]


@programme_app.command()
def check(file: ProgrammeFile) -> None:
    """Check that a programme file can run; report every fault with its line."""
    programme = read_programme(read_file(file))
    out.print(
        f"{file}: programme {programme.key!r} can run: "
        f"{len(programme.tiers)} tiers, {len(programme.rules)} rules, {len(programme.event_types)} event types."
    )


@programme_app.command()
def plan(file: ProgrammeFile, data_dir: DataDir = None) -> None:
    """Show how a programme file differs from the running version, without changing anything."""
    source = read_file(file)
    programme = read_programme(source)

    async def running(database: Database, _settings: Settings) -> dict[str, Any] | None:
        return await newest_version(database, programme.key)

    stored = with_database("plan", data_dir, running)
    found = differences(stored["source"] if stored else None, source)
    title = (
        f"{programme.key}: version {stored['version']} is running"
        if stored
        else f"{programme.key}: no version is running"
    )
    if not found:
        out.print(f"{title}; the file does not differ.")
        return
    table = Table("place", "running", "file", title=title, title_justify="left")
    for difference in found:
        table.add_row(difference.place, _shown(difference.before), _shown(difference.after))
    out.print(table)
    out.print(f"{len(found)} differences. `carillon programme apply {file}` stores them as version ", end="")
    out.print(f"{(stored['version'] if stored else 0) + 1}.")


def _shown(value: Any) -> str:
    return "-" if value is None else str(value)


@programme_app.command()
def apply(file: ProgrammeFile, data_dir: DataDir = None) -> None:
    """Store a programme file as the next version; running gateways load it without a restart."""
    source = read_file(file)

    async def store(database: Database, _settings: Settings) -> tuple[dict[str, Any], bool]:
        applied = await apply_programme(database, source, now=now(), applied_by="cli")
        await migrate(database)  # another country changes what national phone numbers mean
        return applied

    document, is_new = with_database("apply", data_dir, store, must_exist=False)
    key, version = document["programme"], document["version"]
    if is_new:
        out.print(f"Programme {key!r} is now at version {version}.")
    else:
        out.print(f"Nothing to apply: the file does not differ from version {version} of {key!r}.")
