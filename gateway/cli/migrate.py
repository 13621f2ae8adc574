"""`carillon migrate`: converts what earlier releases stored."""

from typing import Annotated

import typer

from gateway.cli.common import DataDir, with_database
from gateway.cli.console import out
from gateway.config import Settings
from models.migrations.runner import Migration, migrate
from models.mongo.database import Database


def migrate_data(
    *,
    again: Annotated[
        bool, typer.Option("--again", help="Run every migration from its beginning, also those that are done.")
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Convert what earlier releases stored. It can be stopped at any point and run again.

    `carillon up`, `serve`, `programme apply` and `import` do the same. After a deploy during which gateways of
    an earlier release still ran, run it once with --again. `carillon audit` lists what cannot be converted.
    """
    seen: set[tuple[int, str]] = set()

    def show(migration: Migration, programme: str) -> None:
        if (migration.number, programme) not in seen:
            seen.add((migration.number, programme))
            out.print(f"Migration {migration.number} ({migration.name}) of programme {programme!r}", markup=False)

    async def run(database: Database, _settings: Settings) -> int:
        return await migrate(database, again=again, on_progress=show)

    with_database("migrate", data_dir, run)
    out.print("Every migration is done.")
