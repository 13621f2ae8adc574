"""What the commands print to: standard output for results, standard error for the rest."""

from typing import NoReturn

import typer
from rich.console import Console

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def stop(message: str, code: int = 1) -> NoReturn:
    """Print what is wrong and what to do, and end the command with `code`."""
    err.print(message, style="red", markup=False)
    raise typer.Exit(code)
