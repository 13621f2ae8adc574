"""Tells whether a Python interpreter was built with profile-guided optimisation (PGO), and finds one that was.

Carillon runs 15 to 25 % cheaper on such a build. The gateway, the measurements and `make install` share this module. It
needs the standard library only, so any interpreter can run it as a script: it prints the optimised interpreters on the
PATH, one a line.
"""

import os
import platform
import subprocess
import sys
import sysconfig
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

COMMAND = f"python{sys.version_info.major}.{sys.version_info.minor}"
ANSWER_SECONDS_MAX = 10

_PGO_FLAGS = ("-fprofile-use", "-fprofile-instr-use", "-prof-use")
"""What gcc, clang and icc are given; CPython's own test suite looks for the same (`check_cflags_pgo`)."""
_DEBIAN_SCHEME = "deb_system"
_DEBIAN_MACHINES = frozenset({"x86_64", "aarch64"})


def is_optimised_build(variables: Mapping[str, Any], schemes: Collection[str], machine: str) -> bool:
    """Return whether an interpreter was built with PGO.

    Arguments are its `sysconfig.get_config_vars()` and `get_scheme_names()`, and `platform.machine()`.
    """
    if variables.get("Py_DEBUG"):
        return False
    flags = f"{variables.get('PY_CFLAGS_NODIST')} {variables.get('PY_CORE_CFLAGS')}"
    if "--enable-optimizations" in str(variables.get("CONFIG_ARGS")) or any(flag in flags for flag in _PGO_FLAGS):
        return True
    # Debian and Ubuntu build with PGO on these machines and remove the flags afterwards, so that extensions are not
    # compiled with them. Only their builds have this installation scheme.
    return _DEBIAN_SCHEME in schemes and machine in _DEBIAN_MACHINES


def is_optimised() -> bool:
    """Return whether this process runs on an interpreter that was built with PGO."""
    return is_optimised_build(sysconfig.get_config_vars(), sysconfig.get_scheme_names(), platform.machine())


def base_executable() -> Path:
    """Return the file of the interpreter itself, also in a virtual environment."""
    base = getattr(sys, "_base_executable", None) or sys.executable
    return Path(base).resolve()


def described() -> str:
    """Return this interpreter's version, file and kind of build."""
    build = "optimised build (PGO)" if is_optimised() else "build without PGO"
    return f"{platform.python_version()}, {base_executable()}, {build}"


def optimised_interpreters(path: str) -> list[Path]:
    """Return the files of this version's optimised interpreters in the folders of a PATH, in their order, each once."""
    found: dict[Path, None] = {}
    for folder in path.split(os.pathsep):
        file = Path(folder or ".") / COMMAND
        if os.access(file, os.X_OK) and (executable := _executable_if_optimised(file)) is not None:
            found[executable] = None
    return [*found]


def _executable_if_optimised(command: Path) -> Path | None:
    """Run a command with this module; return the interpreter's file if it works and is optimised."""
    try:
        ran = subprocess.run(  # noqa: S603 - an interpreter that the user's PATH names
            [command, "-I", __file__, "--this"],
            capture_output=True,
            text=True,
            timeout=ANSWER_SECONDS_MAX,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return Path(ran.stdout.strip()) if ran.returncode == 0 and ran.stdout.strip() else None


def main() -> None:
    """Print the optimised interpreters on the PATH; with `--this`, only this one if it is optimised."""
    if sys.argv[1:] == ["--this"]:
        found = [base_executable()] if is_optimised() else []
    else:
        found = optimised_interpreters(os.environ.get("PATH", os.defpath))
    for each in found:
        print(each)  # noqa: T201 - a script's output


if __name__ == "__main__":
    main()
