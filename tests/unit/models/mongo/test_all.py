"""The document classes of the collections are found in their files."""

import sys
from pathlib import Path

import pytest

from models.mongo.all import documents

NOTE = """
from typing import ClassVar
from beanie import Document
from models.mongo.member import MemberDocument
from models.mongo.schema import STRING, document_validator

class NoteDocument(Document):
    text: str

    class Settings:
        name = "notes"

    validator: ClassVar = document_validator({"_id": STRING, "text": STRING})
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of its own for each test, with a collection in one file."""
    monkeypatch.syspath_prepend(tmp_path)
    folder = tmp_path / f"collections_of_{tmp_path.name}"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "note.py").write_text(NOTE, encoding="utf-8")
    return folder


def test_collections_are_those_of_all_files() -> None:
    assert sorted(document.Settings.name for document in documents()) == [
        "audiences",
        "catalogue",
        "codes",
        "commits",
        "counters",
        "devices",
        "entries",
        "identities",
        "members",
        "orders",
        "programmes",
        "receipts",
        "sessions",
        "spent",
    ]


def test_new_file_is_a_new_collection_and_imported_classes_are_not(package: Path) -> None:
    (document,) = documents(package.name)
    assert (document.__name__, document.Settings.name) == ("NoteDocument", "notes")
    assert document.__module__ in sys.modules


@pytest.mark.parametrize("forgotten", ['        name = "notes"\n', "    validator: ClassVar = document_validator("])
def test_class_without_name_or_validator_is_a_fault_that_says_what_to_do(package: Path, forgotten: str) -> None:
    replacement = "        pass\n" if "name" in forgotten else "    checked: ClassVar = document_validator("
    (package / "note.py").write_text(NOTE.replace(forgotten, replacement), encoding="utf-8")
    with pytest.raises(TypeError, match=r"NoteDocument needs `Settings\.name` and a `validator`"):
        documents(package.name)


def test_two_classes_of_one_collection_are_a_fault(package: Path) -> None:
    (package / "other.py").write_text(NOTE.replace("NoteDocument", "OtherDocument"), encoding="utf-8")
    with pytest.raises(TypeError, match="OtherDocument and NoteDocument are both the collection 'notes'"):
        documents(package.name)
