"""The version of Carillon that runs."""

import importlib.metadata
import tomllib
from pathlib import Path

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"


def version() -> str:
    """Return the version of the installed package; the container image runs the sources, with pyproject.toml beside."""
    try:
        return importlib.metadata.version("carillon")
    except importlib.metadata.PackageNotFoundError:
        project: dict[str, str] = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
        return project["version"]
