"""`carillon codes`: pools of codes."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.common import DataDir, ProgrammeKey, load_lines, print_refused_lines, running_programme, with_database
from gateway.cli.console import err, out
from gateway.cli.progress import count_bar
from gateway.config import Settings
from loyalty.model.programme import Programme
from models.loading.code_pool import checked_name, load_codes, pool_counts
from models.mongo.database import Database
from resolvers.imports.journey import PROGRAMME

codes_app = typer.Typer(help="Load and count the pools of codes that rewards and offers issue.", no_args_is_help=True)
Pool = Annotated[str, typer.Argument(metavar="POOL", help="Name of the pool, as in rewards and offers.")]


@codes_app.command("load")
def load_pool(
    pool: Pool,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Codes, one per line.")],
    programme: ProgrammeKey = PROGRAMME,
    data_dir: DataDir = None,
) -> None:
    """Add codes to a pool. Codes already in it stay unchanged: each code is issued once, ever.

    A code that another pool or an offer has is refused, whatever its letter case, spaces and dashes; the others are
    loaded, and the command exits with 1.
    """

    async def load(database: Database, running: Programme, lines: Iterable[str]) -> tuple[str, bool]:
        with count_bar(err, "Loading codes") as on_progress:
            tally = await load_codes(
                database, programme, pool, lines, catalogue=running.catalogue, on_progress=on_progress
            )
        print_refused_lines(tally.refused_lines, tally.refused)
        summary = (
            f"{tally.loaded:,} codes loaded into pool {pool!r}, {tally.duplicates:,} already in it, "
            f"{tally.refused:,} lines refused"
        )
        return summary, tally.taken == 0

    load_lines(file, "codes", data_dir, programme, load)


@codes_app.command("show")
def show_pool(pool: Pool, programme: ProgrammeKey = PROGRAMME, data_dir: DataDir = None) -> None:
    """Show the number of free, held, given and void codes of a pool."""
    checked_name(pool, "pool")

    async def count(database: Database, _settings: Settings) -> None:
        await running_programme(database, programme)
        for state, codes in (await pool_counts(database, programme, pool)).items():
            out.print(f"  {state.value:<12} {codes:>15,}")

    with_database("codes", data_dir, count)
