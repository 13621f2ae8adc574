"""`carillon audience`: lists of members."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.common import (
    DataDir,
    ProgrammeKey,
    load_lines,
    print_refused_lines,
    running_programme,
    with_database,
)
from gateway.cli.console import err, out
from gateway.cli.progress import count_bar
from gateway.clock import now
from gateway.config import Settings
from loyalty.model.programme import Programme
from models.loading.audience_list import audience_list, load_list
from models.loading.code_pool import checked_name
from models.mongo.database import Database
from resolvers.imports.journey import PROGRAMME

audience_app = typer.Typer(
    help="Load and show the lists of members that offers and rewards target.", no_args_is_help=True
)
ListName = Annotated[str, typer.Argument(metavar="LIST", help="Name of the list, as in audiences.")]


@audience_app.command("load")
def load_audience(
    name: ListName,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Members, one per line: a membership number, card, e-mail or phone.")
    ],
    programme: ProgrammeKey = PROGRAMME,
    data_dir: DataDir = None,
) -> None:
    """Replace a list with the members in a file; members missing from the file are removed."""

    async def load(database: Database, running: Programme, lines: Iterable[str]) -> tuple[str, bool]:
        with count_bar(err, "Loading members") as on_progress:
            tally = await load_list(
                database, programme, name, lines, now=now(), country=running.country, on_progress=on_progress
            )
        print_refused_lines(
            [(number, f"no member has {text!r}") for number, text in tally.unknown_lines], tally.unknown
        )
        summary = (
            f"List {name!r}: {tally.members:,} members loaded, {tally.removed:,} removed; "
            f"{tally.unknown:,} lines match no member, {tally.duplicates:,} repeat a member"
        )
        return summary, True

    load_lines(file, "audience", data_dir, programme, load)


@audience_app.command("show")
def show_audience(name: ListName, programme: ProgrammeKey = PROGRAMME, data_dir: DataDir = None) -> None:
    """Show the number of members on a list, and when it was loaded."""
    checked_name(name, "list")

    async def count(database: Database, _settings: Settings) -> str:
        await running_programme(database, programme)
        found = await audience_list(database, programme, name)
        if found.loaded_at is None:
            return f"List {name!r} has never been loaded."
        return f"List {name!r}: {found.members:,} members; loaded at {found.loaded_at.isoformat(timespec='seconds')}."

    out.print(with_database("audience", data_dir, count))
