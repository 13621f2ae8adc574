"""The programme files of the project."""

from pathlib import Path

from loyalty.model.programme import Programme
from models.definitions.programme_file import read_programme
from models.mongo.bson import Document

PROGRAMMES = Path(__file__).parents[2] / "programmes"
# The stored documents of applied programmes, and the programmes that they load as.
AppliedProgrammes = tuple[list[Document], list[Programme]]


def programme_source(name: str) -> str:
    """Return the text of a programme's file."""
    return (PROGRAMMES / f"{name}.yaml").read_text(encoding="utf-8")


def programme_from_file(name: str) -> Programme:
    """Return the programme of a file, as version 1."""
    return read_programme(programme_source(name), version=1)
