"""`carillon audience`: lists of members."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.common import DataDir, ProgrammeKey, load_lines, require_programme, tell_lines, with_database
from gateway.cli.console import err, out
from gateway.cli.progress import count_bar
from gateway.clock import now
from gateway.config import Settings
from models.loading.audience_list import audience_list, load_list
from models.loading.code_pool import checked_name
from models.mongo.database import Database
from resolvers.imports.journey import PROGRAMME

audience_app = typer.Typer(help="Lists of members that offers and rewards are for: load, show.", no_args_is_help=True)
ListName = Annotated[str, typer.Argument(metavar="LIST", help="The list, as audiences name it.")]


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
