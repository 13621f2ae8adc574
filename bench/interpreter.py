"""Measures on an interpreter that was built with PGO if the machine has one, as Node and mongod are such builds too."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

from gateway.observability.interpreter import is_optimised, optimised_interpreters


def prefer_optimised() -> None:
    """Start this command again on an optimised interpreter with the same packages, if this one is not optimised.

    Returns if it is, or if none is on the PATH; the report says which interpreter it was.
    """
    is_environment = sys.prefix != sys.base_prefix
    if is_optimised() or not is_environment:
        return
    found = optimised_interpreters(os.environ.get("PATH", os.defpath))
    if not found:
        return
    python = _environment(found[0], Path(sys.prefix) / "optimised")
    print(f"bench: runs on {found[0]}, which was built with PGO; {sys.executable} was not", file=sys.stderr, flush=True)
    os.execv(python, [str(python), *sys.orig_argv[1:]])  # noqa: S606 - the same command line


def _environment(interpreter: Path, folder: Path) -> Path:
    """Make an environment of an interpreter with the packages of this process; return its python."""
    python = folder / "bin" / "python"
    if python.resolve() != interpreter.resolve():
        subprocess.run([interpreter, "-m", "venv", "--clear", "--without-pip", folder], check=True)  # noqa: S603
    (packages,) = folder.glob("lib/python*/site-packages")
    # `addsitedir` reads the .pth files there too: an editable installation is one.
    line = f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
    (packages / "packages-of-the-bench.pth").write_text(line, encoding="utf-8")
    return python
