"""Builds the wheel and checks it in an empty environment: `make wheel`, or `python -m tools.wheel`."""

import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from zipfile import ZipFile

ROOT = Path(__file__).parents[1]
PACKAGES = ("gateway", "schema", "resolvers", "models", "loyalty", "programmes")
"""The folders that the wheel contains."""


class Broken(Exception):  # noqa: N818 - the message is for people
    """A check failed; the message says which file or command, and how."""


@dataclass(frozen=True, slots=True)
class Built:
    """The files of one build."""

    wheel: Path
    sdist: Path


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    """Run a command and return its standard output.

    Raises:
        Broken: it failed; the message holds everything it printed.
    """
    words = [str(part) for part in command]
    # PYTHONPATH would let an installed command import the checkout.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "CARILLON_"))}
    ran = subprocess.run(words, cwd=cwd, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    if ran.returncode != 0:
        raise Broken(f"{' '.join(words)}: exit {ran.returncode}\n{ran.stdout}{ran.stderr}")
    return ran.stdout


def project_version(root: Path = ROOT) -> str:
    """Return the version in pyproject.toml."""
    version: str = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    return version


def project_files(root: Path = ROOT) -> list[str]:
    """Return the paths of the files that git tracks or would track."""
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=root).split("\0")
    return [name for name in listed if name and (root / name).is_file()]


def copy_project(destination: Path, root: Path = ROOT) -> None:
    """Copy the project's files: a build in the working directory would package what older builds left there."""
    for name in project_files(root):
        target = destination / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(root / name, target)


def build(source: Path, destination: Path) -> Built:
    """Build the sdist from `source`, and the wheel from the sdist; no index is needed.

    Raises:
        Broken: one of them cannot be built.
    """
    uv = Path(sys.executable).parent / "uv"
    options = ("--offline", "--no-build-isolation", "--python", sys.executable, "--out-dir", destination)
    run(uv, "build", *options, source)
    (wheel,), (sdist,) = destination.glob("*.whl"), destination.glob("*.tar.gz")
    return Built(wheel, sdist)


def check_contents(wheel: Path, root: Path = ROOT) -> int:
    """Compare the wheel with the project's files, and return how many files it contains.

    Raises:
        Broken: a file of the packages is not in the wheel, or the wheel contains another.
    """
    with ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    expected = {name for name in project_files(root) if name.split("/", 1)[0] in PACKAGES and "/" in name}
    faults = [f"not in the wheel: {name}" for name in sorted(expected - packed)]
    faults += [f"only in the wheel: {name}" for name in sorted(packed - expected)]
    if faults:
        raise Broken("\n".join(faults))
    return len(packed)


def check_commands(carillon: Sequence[str | Path], root: Path = ROOT) -> None:
    """Run the installed command in an empty directory, with nothing of the repository but a copy of a programme file.

    Raises:
        Broken: a command fails or prints something else than the checkout does.
    """
    with tempfile.TemporaryDirectory(prefix="carillon-") as folder:
        file = shutil.copy2(root / "programmes" / "coffee.yaml", folder)
        version = run(*carillon, "--version", cwd=Path(folder))
        if version != f"carillon {project_version(root)}\n":
            raise Broken(f"carillon --version prints {version!r}")
        if run(*carillon, "schema", cwd=Path(folder)) != (root / "schema" / "schema.graphql").read_text("utf-8"):
            raise Broken("carillon schema prints another schema than schema/schema.graphql")
        run(*carillon, "programme", "check", Path(file).name, cwd=Path(folder))


def locked_environment(folder: Path, root: Path = ROOT) -> Path:
    """Make an environment in `folder` with what requirements-serve.lock names, and return its Python.

    Raises:
        Broken: a requirement cannot be installed, or its hash differs.
    """
    venv.create(folder)
    python = folder / "bin" / "python"
    run_pip(python, "install", "--quiet", "--require-hashes", "-r", root / "requirements-serve.lock")
    return python


def run_pip(python: Path, *arguments: str | Path) -> None:
    """Run this environment's pip for another: that of Debian's Python has none unless python3.11-venv is installed.

    Raises:
        Broken: it failed.
    """
    run(sys.executable, "-m", "pip", "--python", python, *arguments, cwd=python.parent)


def check_installed(wheel: Path, python: Path, root: Path = ROOT) -> None:
    """Install the wheel alone into a locked environment, and run the command there.

    Raises:
        Broken: a dependency of the wheel is missing from the lock file or too old there, or a command fails.
    """
    run_pip(python, "install", "--quiet", "--no-deps", "--no-index", wheel.resolve())
    run_pip(python, "check")
    check_commands((python.parent / "carillon",), root)


def publish(built: Built) -> None:
    """Copy both files to dist/, and print their names, sizes and SHA-256."""
    dist = ROOT / "dist"
    dist.mkdir(exist_ok=True)
    for file in (built.wheel, built.sdist):
        shutil.copy2(file, dist)
        print(f"dist/{file.name}  {file.stat().st_size:,} bytes  sha256:{sha256(file.read_bytes()).hexdigest()}")


def main() -> None:
    """Build from the working directory, check, and leave the wheel and the sdist in dist/."""
    with tempfile.TemporaryDirectory(prefix="carillon-") as folder:
        source, target, environment = (Path(folder) / name for name in ("source", "dist", "environment"))
        copy_project(source)
        built = build(source, target)
        count = check_contents(built.wheel)
        check_installed(built.wheel, locked_environment(environment))
        publish(built)
    print(f"The wheel's {count} files are complete, and its commands run in an empty environment.")


if __name__ == "__main__":
    try:
        main()
    except Broken as broken:
        sys.exit(str(broken))
