"""The wheel: everything that runs is in it. `make wheel` checks the same with dependencies from the lock file."""

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from tools.wheel import build, check_commands, check_contents, copy_project


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    copy_project(folder / "source")
    return build(folder / "source", folder / "dist").wheel


def test_wheel_contains_every_file_of_the_packages_and_no_other(wheel: Path) -> None:
    assert check_contents(wheel) > 100


def test_commands_of_the_installed_wheel_run_outside_the_repository(wheel: Path, tmp_path: Path) -> None:
    environment = tmp_path / "environment"
    venv.create(environment)
    pip = (sys.executable, "-m", "pip", "--python", environment / "bin" / "python")
    subprocess.run([*pip, "install", "--quiet", "--no-deps", "--no-index", wheel], check=True)  # noqa: S603
    # The dependencies are those of this environment. Its editable install of Carillon is not seen through a .pth file.
    (packages,) = environment.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    check_commands((environment / "bin" / "carillon",))
