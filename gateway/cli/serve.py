"""`carillon serve` and `carillon token`."""

import asyncio
import re
import sys
from datetime import timedelta
from typing import Annotated

import typer

from gateway.auth.development_key import DevelopmentKey
from gateway.cli import start as starting
from gateway.cli.common import DataDir, ProgrammeKey, database_url, with_database
from gateway.config import Settings, read_limits, read_settings
from gateway.observability.logs import configure_logs
from gateway.site.development import issue
from models.mongo.database import Database
from resolvers.core.actor import Role
from resolvers.imports.journey import PROGRAMME

_TTL = re.compile(r"(\d{1,6})([smhd])")
_TTL_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def parsed_ttl(text: str) -> timedelta:
    """Parse a duration such as 30s, 15m, 1h or 7d; raise typer.BadParameter for anything else."""
    match = _TTL.fullmatch(text)
    if match is None or int(match[1]) == 0:
        raise typer.BadParameter("write a duration such as 30s, 15m, 1h or 7d")
    return timedelta(**{_TTL_UNITS[match[2]]: int(match[1])})


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on (CARILLON_HOST, default 127.0.0.1).")] = None,
    port: Annotated[
        int | None, typer.Option(help="Port to listen on; 0 for any free port (CARILLON_PORT, default 8000).")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Number of serving processes (CARILLON_WORKERS, default 1).", min=1)
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Serve the API, configured by the environment (CARILLON_*)."""
    settings = read_settings(data_dir=data_dir, host=host, port=port, workers=workers)
    limits = read_limits()
    configure_logs(settings.log_level)
    with database_url(settings, "serve", data_dir=data_dir) as url:
        starting.serve(url, settings, limits)


def token(  # noqa: PLR0917 - typer passes options by name
    role: Annotated[Role, typer.Option(help="Role of the token.")],
    member: Annotated[str | None, typer.Option(help="Membership number; required for role member.")] = None,
    sender: Annotated[
        str | None,
        typer.Option(help="Sender whose events the token records (its `sub`), such as till-2; the role if left out."),
    ] = None,
    ttl: Annotated[str, typer.Option(help="Lifetime of the token, such as 30s, 15m, 1h or 7d.")] = "1h",
    programme: ProgrammeKey = PROGRAMME,
    data_dir: DataDir = None,
) -> None:
    """Print a development token signed with the data directory's key."""
    lifetime = parsed_ttl(ttl)
    settings = read_settings(data_dir=data_dir)
    key = DevelopmentKey.load(settings.directory())
    if role is Role.MEMBER:

        async def signed(database: Database, _settings: Settings) -> str:
            return await issue(
                database, key, role=role, programme=programme, number=member, ttl=lifetime, sender=sender
            )

        text = with_database("token", data_dir, signed)
    else:
        text = asyncio.run(issue(None, key, role=role, programme=programme, number=member, ttl=lifetime, sender=sender))
    sys.stdout.write(text + "\n")
