"""The README's operations are valid."""

import json
import re
from pathlib import Path

import pytest
from graphql import DocumentNode, parse, validate

from schema.build import executable_schema

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def shown() -> list[DocumentNode]:
    """Return each operation in the README's GraphQL blocks and curl commands."""
    blocks = re.findall(r"```graphql\n(.*?)```", README, re.DOTALL)
    sent = re.findall(r'"query": ("(?:[^"\\]|\\.)*")', README)
    documents = [parse(text) for text in (*blocks, *map(json.loads, sent))]
    return [DocumentNode(definitions=(operation,)) for document in documents for operation in document.definitions]


def test_readme_shows_operations() -> None:
    assert len(shown()) == 11


@pytest.mark.parametrize("number", range(len(shown())))
def test_operation_of_the_readme_is_valid(number: int) -> None:
    assert validate(executable_schema(), shown()[number]) == []
