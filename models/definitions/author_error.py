"""What is wrong with what an author wrote: told with its line, its place and the fix."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong: its line (from 1; 0 where it came in no file), the place in its author's words, and the fix."""

    line: int
    place: str
    message: str

    def __str__(self) -> str:
        told = f"{self.place}: {self.message}" if self.place else self.message
        return f"line {self.line}: {told}" if self.line else told


class Faulty(Exception):  # noqa: N818 - an answer to an author
    """Something written that cannot run; `faults` lists everything that is wrong with it."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = faults


class InvalidProgramme(Faulty):
    """A programme file that cannot run."""


class InvalidDefinition(Faulty):
    """An offer, a reward or a content, written without a file, that cannot run."""
