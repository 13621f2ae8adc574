"""The consoles of the commands: standard output for results, standard error for everything else."""

from typing import NoReturn

import typer
from rich.console import Console

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def stop(message: str, code: int = 1) -> NoReturn:
    """Print an error message that says what to do, and exit with `code`."""
    err.print(message, style="red", markup=False)
    raise typer.Exit(code)
