"""The command line as people use it: what it says and how it ends."""

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
from support.gateway import CARILLON, environment

# What a plain terminal of a hundred columns shows.
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
    ("schema",),
)


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str


async def carillon(*arguments: str, **settings: str) -> Ran:
    """Run a command to its end in a thread of this process, which takes a tenth of the time of its own."""
    return await asyncio.to_thread(_run_here, arguments, settings)


def _run_here(arguments: tuple[str, ...], settings: dict[str, str]) -> Ran:
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
        # What a command leaves open ends with its process, which this one is not.
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
    return Ran(code, out.getvalue().strip(), err.getvalue().strip())


async def carillon_process(*arguments: str, within_seconds: float = 60, **settings: str) -> Ran:
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
    return Ran(process.returncode, out.decode().strip(), err.decode().strip())


def helps() -> str:
    """Return the help of every command, as it is shown."""
    runner = CliRunner(env=PLAIN)
    shown = []
    for command in COMMANDS:
        title = " ".join(("carillon", *command, "--help"))
        said = runner.invoke(app, [*command, "--help"], prog_name="carillon").stdout
        shown.append(f"$ {title}\n" + "\n".join(line.rstrip() for line in said.splitlines()).strip("\n"))
    return "\n\n".join(shown) + "\n"


if __name__ == "__main__":
    print(helps(), end="")  # noqa: T201 - `python -m support.terminal > api/cli/help.txt`, in tests/
