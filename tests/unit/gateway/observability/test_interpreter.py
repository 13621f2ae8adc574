"""Which interpreters count as optimised, which one is found on the PATH, and the warning of a gateway without one."""

import json
import os
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

import pytest

from gateway.observability import interpreter
from gateway.observability.interpreter import (
    base_executable,
    described,
    is_optimised,
    is_optimised_build,
    optimised_interpreters,
)

ROOT = Path(__file__).parents[4]
PLAIN_SCHEMES = ("posix_prefix", "posix_home", "posix_user", "venv")
DEBIAN_SCHEMES = (*PLAIN_SCHEMES, "deb_system", "posix_local")
NODIST = "-std=c11 -Wextra -Wno-unused-parameter -fvisibility=hidden"
DEBIAN = {
    "CONFIG_ARGS": "'--enable-shared' '--prefix=/usr' '--without-ensurepip' 'CC=x86_64-linux-gnu-gcc'",
    "PY_CFLAGS_NODIST": NODIST,
    "PGO_PROF_USE_FLAG": "",
    "Py_DEBUG": 0,
}
PYENV = {
    "CONFIG_ARGS": "'--prefix=/root/.pyenv/versions/3.11.7' '--enable-shared'",
    "PY_CFLAGS_NODIST": NODIST,
    # The flag that an optimised build would use; this one did not.
    "PGO_PROF_USE_FLAG": "-fprofile-use -fprofile-correction",
    "Py_DEBUG": 0,
}
CONFIGURED = {"CONFIG_ARGS": "'--build=x86_64-linux-gnu' '--enable-optimizations' '--with-lto'", "Py_DEBUG": 0}


@pytest.mark.parametrize(
    ("variables", "schemes", "machine", "optimised"),
    [
        (PYENV, PLAIN_SCHEMES, "x86_64", False),
        (CONFIGURED, PLAIN_SCHEMES, "x86_64", True),
        ({**PYENV, "PY_CFLAGS_NODIST": f"{NODIST} -fprofile-use -fprofile-correction"}, PLAIN_SCHEMES, "x86_64", True),
        ({**PYENV, "PY_CORE_CFLAGS": "-fprofile-instr-use=code.profclangd"}, PLAIN_SCHEMES, "arm64", True),
        (DEBIAN, DEBIAN_SCHEMES, "x86_64", True),
        (DEBIAN, DEBIAN_SCHEMES, "aarch64", True),
        (DEBIAN, DEBIAN_SCHEMES, "riscv64", False),
        (DEBIAN, PLAIN_SCHEMES, "x86_64", False),
        ({**DEBIAN, "Py_DEBUG": 1}, DEBIAN_SCHEMES, "x86_64", False),
        ({**CONFIGURED, "Py_DEBUG": 1}, PLAIN_SCHEMES, "x86_64", False),
        ({}, (), "x86_64", False),
    ],
)
def test_optimised_builds_are_recognised(
    variables: dict[str, Any], schemes: tuple[str, ...], machine: str, *, optimised: bool
) -> None:
    assert is_optimised_build(variables, schemes, machine) is optimised


def test_interpreter_is_described_by_version_file_and_build() -> None:
    version, file, build = described().split(", ")
    assert version == ".".join(map(str, sys.version_info[:3]))
    assert Path(file) == base_executable()
    assert build == ("optimised build (PGO)" if is_optimised() else "build without PGO")


def test_environment_has_the_build_of_its_interpreter(tmp_path: Path) -> None:
    venv.create(tmp_path / "environment")
    for python in (tmp_path / "environment" / "bin" / "python", base_executable()):
        says: list[str | Path] = [python, "-I", interpreter.__file__, "--this"]
        ran = subprocess.run(says, capture_output=True, text=True, check=True)  # noqa: S603 - our own interpreter
        assert ran.stdout == (f"{base_executable()}\n" if is_optimised() else "")


def command(folder: Path, script: str) -> Path:
    """Write an interpreter of this version's name that runs a shell script."""
    folder.mkdir()
    file = folder / interpreter.COMMAND
    file.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    file.chmod(0o755)
    return folder


def test_optimised_interpreters_are_found_in_the_order_of_the_path(tmp_path: Path) -> None:
    folders = [
        command(tmp_path / "plain", "exit 0"),
        command(tmp_path / "broken", "echo 'python3.11: command not found' >&2; exit 127"),
        tmp_path / "missing",
        command(tmp_path / "first", "echo /opt/first/python3.11"),
        command(tmp_path / "second", "echo /opt/second/python3.11"),
        command(tmp_path / "first-again", "echo /opt/first/python3.11"),
    ]
    (tmp_path / "missing").mkdir()
    found = optimised_interpreters(os.pathsep.join(map(str, folders)))
    assert found == [Path("/opt/first/python3.11"), Path("/opt/second/python3.11")]


def test_interpreter_of_this_run_is_found_if_it_is_optimised(tmp_path: Path) -> None:
    folder = command(tmp_path / "bin", f'exec {sys.executable} "$@"')
    assert optimised_interpreters(str(folder)) == ([base_executable()] if is_optimised() else [])


@pytest.mark.parametrize("optimised", [False, True])
def test_gateway_warns_of_an_interpreter_that_is_not_optimised(*, optimised: bool) -> None:
    script = (
        "from gateway.cli.start import warn_without_pgo\n"
        "from gateway.observability.logs import configure_logs\n"
        f"configure_logs('warning'); warn_without_pgo(optimised={optimised})"
    )
    # In a process of its own: loggers keep the configuration of their first line.
    command = [sys.executable, "-c", script]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603
    lines = [json.loads(line) for line in ran.stderr.splitlines()]
    assert [(line["event"], line["level"], line["python"]) for line in lines] == (
        [] if optimised else [("interpreter_not_optimised", "warning", described())]
    )
    assert all("install one and create the environment again" in line["hint"] for line in lines)
