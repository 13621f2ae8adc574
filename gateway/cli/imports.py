"""`carillon import`: real data sets."""

from datetime import date, datetime
from time import monotonic
from typing import Annotated

import typer

from gateway.cli.common import DataDir, with_services
from gateway.cli.console import err, out
from gateway.cli.progress import progress_bar
from gateway.cli.up import ensure_programme
from models.migrations.runner import migrate
from resolvers.core.context import Services
from resolvers.imports.campaigns import replay_campaigns
from resolvers.imports.journey import import_journey

import_app = typer.Typer(help="Import data sets.", no_args_is_help=True)


@import_app.command("complete-journey")
def import_complete_journey(
    households: Annotated[int | None, typer.Option(min=1, help="Import only the first N of 2,469 households.")] = None,
    until: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"], help="Import only baskets up to this day, in the data's own calendar (2017)."
        ),
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Import a year of a grocer's real baskets. Safe to interrupt and to repeat: nothing counts twice."""
    last_day: date | None = until.date() if until is not None else None

    async def run(services: Services) -> str:
        await ensure_programme(services)
        await migrate(services.database)
        started = monotonic()
        with progress_bar(err, "Importing baskets") as on_progress:
            tally = await import_journey(services, households=households, until=last_day, on_progress=on_progress)
        seconds = monotonic() - started
        with progress_bar(err, "Replaying coupons") as on_progress:
            coupons = await replay_campaigns(services, households=households, until=last_day, on_progress=on_progress)
        done = tally.counted + tally.replayed
        return (
            f"{tally.counted:,} events counted ({tally.points:,} points), {tally.replayed:,} already counted, "
            f"{tally.refused:,} refused, in {seconds:.1f} s: {done / seconds:,.0f} events/s.\n"
            f"{coupons.redeemed.total():,} coupons redeemed in {len(coupons.redeemed)} campaigns "
            f"({coupons.replayed:,} of them already), {coupons.refused.total():,} refused; {coupons.offers:,} offers."
        )

    out.print(with_services("import", data_dir, run))
