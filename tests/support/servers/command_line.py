"""Runs commands of the command line; returns their output and exit code."""

import asyncio
import gc
import io
import logging
import os
import sys
import warnings
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from unittest.mock import patch

from typer.testing import CliRunner

from gateway.cli.main import app, main
from models.mongo.database import Database
from support.servers.gateway import CARILLON, environment

# A plain terminal of 100 columns.
PLAIN = {"COLUMNS": "100", "TERM": "dumb", "NO_COLOR": "1"}
COMMANDS = (
    (),
    ("up",),
    ("serve",),
    ("token",),
    ("programme",),
    ("programme", "check"),
    ("programme", "plan"),
    ("programme", "apply"),
    ("import",),
    ("import", "complete-journey"),
    ("codes",),
    ("codes", "load"),
    ("codes", "show"),
    ("audience",),
    ("audience", "load"),
    ("audience", "show"),
    ("audit",),
    ("migrate",),
    ("schema",),
)


@dataclass(frozen=True)
class CommandResult:
    """Exit code and output of a command."""

    code: int
    out: str
    err: str


async def run_carillon(*arguments: str, **settings: str) -> CommandResult:
    """Run a command to its end in a thread, ten times faster than in a process of its own."""
    return await asyncio.to_thread(_run_here, arguments, settings)


def _run_here(arguments: tuple[str, ...], settings: dict[str, str]) -> CommandResult:
    out, err, root = io.StringIO(), io.StringIO(), logging.getLogger()
    handlers, level, code = root.handlers[:], root.level, 0
    with (
        patch.dict(os.environ, environment(**{**PLAIN, **settings}), clear=True),
        patch.object(sys, "argv", ["carillon", *arguments]),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        finally:
            root.handlers[:] = handlers
            root.setLevel(level)
    with warnings.catch_warnings():
        # A command leaves resources open until its process ends; here they are collected without a warning.
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
    return CommandResult(code, out.getvalue().strip(), err.getvalue().strip())


async def run_carillon_process(*arguments: str, within_seconds: float = 60, **settings: str) -> CommandResult:
    """Run a command to its end in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        CARILLON,
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment(**{**PLAIN, **settings}),
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), within_seconds)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    assert process.returncode is not None
    return CommandResult(process.returncode, out.decode().strip(), err.decode().strip())


async def migrate_with_a_kill(database: Database, url: str, mark: str) -> None:
    """Migrate in a process that is killed once a migration has stored its mark, then in another one to the end."""
    settings = {"CARILLON_MONGODB_URL": url, "CARILLON_DATABASE": database.db.name}
    process = await asyncio.create_subprocess_exec(CARILLON, "migrate", env=environment(**settings))
    async with asyncio.timeout(60):
        while await database.marks.find_one({"_id": mark}) is None:
            pass
    process.kill()
    await process.wait()
    ran = await run_carillon("migrate", **settings)
    assert (ran.code, ran.out.splitlines()[-1]) == (0, "Every migration is done.")


def help_texts() -> str:
    """Return the help of every command as printed."""
    runner = CliRunner(env=PLAIN)
    shown = []
    for command in COMMANDS:
        title = " ".join(("carillon", *command, "--help"))
        said = runner.invoke(app, [*command, "--help"], prog_name="carillon").stdout
        shown.append(f"$ {title}\n" + "\n".join(line.rstrip() for line in said.splitlines()).strip("\n"))
    return "\n\n".join(shown) + "\n"


if __name__ == "__main__":
    print(help_texts(), end="")  # noqa: T201 - `python -m support.servers.command_line > api/cli/help.txt`, in tests/
