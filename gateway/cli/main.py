"""The `carillon` command line. Each command translates its arguments and calls a lower floor."""

import sys
from typing import Annotated

import typer

from gateway.cli.audience import audience_app
from gateway.cli.audit import audit
from gateway.cli.codes import codes_app
from gateway.cli.console import err
from gateway.cli.imports import import_app
from gateway.cli.migrate import migrate_data
from gateway.cli.programme import programme_app
from gateway.cli.schema import schema
from gateway.cli.serve import serve, token
from gateway.cli.up import up
from gateway.config import InvalidSettings
from gateway.server import PortTaken
from gateway.site.development import SenderRefused, UnknownMember
from gateway.version import version
from gateway.workers import WorkersKeepExiting
from models.definitions.programme_file import InvalidProgramme
from models.loading.audience_list import LoadSuperseded
from models.loading.code_pool import InvalidLoad
from models.loading.complete_journey import DataMissing
from models.mongo.database import DatabaseUnavailable
from models.mongo.replica_set import NotAReplicaSet
from models.programmes.programme_store import ProgrammeNotFound
from resolvers.imports.journey import HouseholdRefused, ImportInterrupted

app = typer.Typer(
    name="carillon",
    help="GraphQL gateway and engine of an omnichannel loyalty programme.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"carillon {version()}\n")
        raise typer.Exit


@app.callback()
def carillon(
    *,
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    """The GraphQL gateway of an omnichannel loyalty programme."""


for command in (up, serve, token, audit, schema):
    app.command()(command)
app.command("migrate")(migrate_data)
app.add_typer(programme_app, name="programme")
app.add_typer(import_app, name="import")
app.add_typer(codes_app, name="codes")
app.add_typer(audience_app, name="audience")

REPORTED_ERRORS = (
    DataMissing,
    DatabaseUnavailable,
    NotAReplicaSet,
    HouseholdRefused,
    ImportInterrupted,
    InvalidLoad,
    InvalidProgramme,
    InvalidSettings,
    LoadSuperseded,
    PortTaken,
    ProgrammeNotFound,
    SenderRefused,
    UnknownMember,
    WorkersKeepExiting,
)


def main() -> None:
    """Run the command line. Print errors that the operator can fix as one sentence, without a traceback."""
    try:
        app()
    except REPORTED_ERRORS as error:
        err.print(str(error), style="red", markup=False)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
