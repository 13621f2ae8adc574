"""How `make install` makes the environment: with an interpreter's own pip, or with that of another."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.observability.interpreter import COMMAND, base_executable
from tools.environment import NoPip, candidates, make_environment
from tools.wheel import ROOT


def interpreter(folder: Path, *, ensurepip: bool, pip: str = "exit 1") -> Path:
    """Write an interpreter with or without ensurepip, which runs `pip`, a shell script, as its pip.

    This run's interpreter may have no ensurepip, so one with it names its environments "ensurepip" instead.
    """
    python = base_executable()
    has = f'"-m ensurepip"*) ;; "-m venv /"*) exec {python} -m venv --without-pip --prompt ensurepip "$3" ;;'
    cases = has if ensurepip else '"-m ensurepip"*) exit 1 ;;'
    script = f'#!/bin/sh\ncase "$*" in {cases} "-m pip"*) {pip} ;; *) exec {python} "$@" ;; esac\n'
    folder.mkdir()
    file = folder / COMMAND
    file.write_text(script, encoding="utf-8")
    file.chmod(0o755)
    return file


def used_ensurepip(environment: Path) -> bool:
    return "prompt = 'ensurepip'" in (environment / "pyvenv.cfg").read_text(encoding="utf-8")


def base_of(environment: Path) -> str:
    command: list[str | Path] = [environment / "bin" / "python", "-I", "-c", "import sys; print(sys._base_executable)"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603


def test_environment_has_the_pip_of_its_interpreter(tmp_path: Path) -> None:
    make_environment(tmp_path / "environment", [interpreter(tmp_path / "own", ensurepip=True)])
    assert used_ensurepip(tmp_path / "environment")


def test_interpreter_without_ensurepip_gets_the_pip_of_another(tmp_path: Path) -> None:
    said = tmp_path / "said"
    debian = interpreter(tmp_path / "debian", ensurepip=False)
    other = interpreter(tmp_path / "other", ensurepip=True, pip=f'echo "$*" > {said}')
    make_environment(tmp_path / "environment", [debian, other])
    python = tmp_path / "environment" / "bin" / "python"
    assert said.read_text() == f"-m pip --disable-pip-version-check --python {python} install pip\n"
    assert not used_ensurepip(tmp_path / "environment")
    assert base_of(tmp_path / "environment") == str(base_executable())


def test_without_any_pip_nothing_is_left_and_the_message_says_what_to_install(tmp_path: Path) -> None:
    pythons = [interpreter(tmp_path / name, ensurepip=False) for name in ("first", "second")]
    with pytest.raises(NoPip, match=r"apt install python3\.11-venv.*make install PYTHON=") as raised:
        make_environment(tmp_path / "environment", pythons)
    assert str(pythons[0]) in str(raised.value)
    assert not (tmp_path / "environment").exists()


def test_optimised_interpreter_is_preferred_unless_one_is_chosen(tmp_path: Path) -> None:
    optimised = interpreter(tmp_path / "optimised", ensurepip=True)
    # It says of itself that it is optimised, whatever it runs on.
    says = optimised.read_text(encoding="utf-8").replace("case ", 'case "$*" in *--this) echo $0; exit ;; esac\ncase ')
    optimised.write_text(says, encoding="utf-8")
    assert candidates(str(optimised.parent)) == [optimised, base_executable()]
    assert candidates(None) == [base_executable()]
    made = tmp_path / "environment"
    ran = subprocess.run(  # noqa: S603 - our own module
        [sys.executable, "-m", "tools.environment", made],
        cwd=ROOT,
        env={**os.environ, "PATH": f"{optimised.parent}:/nowhere"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout == f"{made}: {optimised}\n"
    assert used_ensurepip(made)


def test_environment_is_made_before_anything_is_installed() -> None:
    # `-S` hides what is installed.
    ran = subprocess.run(  # noqa: S603 - our own interpreter
        [base_executable(), "-S", "-c", "import tools.environment"], cwd=ROOT, capture_output=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
