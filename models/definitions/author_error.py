"""Validation errors of programme files and definitions, each with its line, its place and the fix."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DefinitionError:
    """One error: line (from 1; 0 without a file), dotted path of the place, what is wrong and how to fix it."""

    line: int
    place: str
    message: str

    def __str__(self) -> str:
        text = f"{self.place}: {self.message}" if self.place else self.message
        return f"line {self.line}: {text}" if self.line else text


class ValidationFailed(Exception):  # noqa: N818 - shown to the author
    """A programme file or a definition is invalid; `faults` lists every error found."""

    def __init__(self, faults: list[DefinitionError]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = faults


class InvalidProgramme(ValidationFailed):
    """A programme file is invalid."""


class InvalidDefinition(ValidationFailed):
    """A single offer, reward or content, sent through the API or an import, is invalid."""
