"""`carillon schema`: the served schema and the table of rights."""

import sys
from typing import Annotated

import typer

from gateway.cli.console import out, stop
from schema.build import RIGHTS_FILE, SDL_FILE, executable_schema, sdl
from schema.wire.access import rights_table
from schema.wire.description import undescribed


def schema(
    *,
    rights: Annotated[bool, typer.Option("--rights", help="Print the table of fields and roles instead.")] = False,
    check_committed: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Compare both with the committed files, and require descriptions; exit with 1 if either fails.",
        ),
    ] = False,
) -> None:
    """Print the served GraphQL schema (SDL)."""
    table, text = rights_table(executable_schema()), sdl()
    if not check_committed:
        sys.stdout.write(table if rights else text)
        return
    missing = undescribed(executable_schema())
    if missing:
        stop(f"no description: {', '.join(missing)}; add one where each is declared")
    stale = [
        str(path)
        for path, served in ((SDL_FILE, text), (RIGHTS_FILE, table))
        if not path.exists() or path.read_text(encoding="utf-8") != served
    ]
    if stale:
        stop(f"out of date: {', '.join(stale)}; run `make schema` and review the difference")
    out.print("schema.graphql and rights.md match the served schema.")
