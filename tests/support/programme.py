"""The programmes that come with the project, as their files say them."""

from pathlib import Path

from loyalty.model.programme import Programme
from models.definitions.programme_file import read_programme
from models.mongo.bson import Document

PROGRAMMES = Path(__file__).parents[2] / "programmes"
# What was stored when they were applied, and what is known of them then.
Applied = tuple[list[Document], list[Programme]]


def source(name: str) -> str:
    """Return the text of a programme's file."""
    return (PROGRAMMES / f"{name}.yaml").read_text(encoding="utf-8")


def read(name: str) -> Programme:
    """Return a programme, as its version 1."""
    return read_programme(source(name), version=1)
