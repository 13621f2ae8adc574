"""Makes the virtual environment: `python -m tools.environment FOLDER`, which `make install` runs.

It prefers an interpreter that was built with PGO (gateway/observability/interpreter.py): the first such python3.11 on
the PATH, or else the one that runs this module. With `--this` it takes the latter, whatever its build.

Debian's Python has no ensurepip unless python3.11-venv is installed. Then the pip of another interpreter installs pip.
It runs before anything is installed, so it needs the standard library only.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from gateway.observability.interpreter import base_executable, optimised_interpreters


class NoPip(Exception):  # noqa: N818 - the message is for people
    """No interpreter can put pip into an environment; the message says what to install."""


def succeeds(*command: str | Path) -> bool:
    """Return whether a command exits with 0; its output is dropped."""
    return subprocess.run(command, capture_output=True, check=False).returncode == 0  # noqa: S603 - interpreters


def make_environment(folder: Path, pythons: Sequence[Path]) -> None:
    """Make an environment with pip in `folder`, of the first interpreter; any of them may bring pip.

    Raises:
        NoPip: none of them has ensurepip or a pip that works.
    """
    python = pythons[0]
    if succeeds(python, "-m", "ensurepip", "--version"):
        subprocess.run([python, "-m", "venv", folder], check=True)  # noqa: S603
        return
    subprocess.run([python, "-m", "venv", "--without-pip", folder], check=True)  # noqa: S603
    installs = ("-m", "pip", "--disable-pip-version-check", "--python", folder / "bin" / "python", "install", "pip")
    if not any(succeeds(each, *installs) for each in pythons):
        shutil.rmtree(folder)
        raise NoPip(
            f"{python} has no ensurepip, and no pip could be installed with it. Install it (on Debian and Ubuntu: apt "
            "install python3.11-venv), or choose another interpreter: make install PYTHON=..."
        )


def candidates(path: str | None) -> list[Path]:
    """Return the optimised interpreters on a PATH, then the one that runs this; the latter alone without a PATH."""
    optimised = optimised_interpreters(path) if path is not None else ()
    return [*dict.fromkeys((*optimised, base_executable()))]


def main() -> None:
    """Make the environment that the command line names."""
    *options, folder = sys.argv[1:]
    pythons = candidates(None if options == ["--this"] else os.environ.get("PATH", os.defpath))
    make_environment(Path(folder), pythons)
    print(f"{folder}: {pythons[0]}")


if __name__ == "__main__":
    try:
        main()
    except NoPip as error:
        sys.exit(str(error))
