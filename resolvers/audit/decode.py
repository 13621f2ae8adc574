"""Documents that the audit cannot read: a finding like any other, which does not end it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A document that is no longer what the code writes, and why."""

    reason: str


def read(of: Callable[[dict[str, Any]], T], document: dict[str, Any]) -> T | Unreadable:
    """Return what `of` makes of a document, or that it cannot."""
    try:
        return of(document)
    except Exception as error:  # noqa: BLE001 - whatever was done to the document
        return Unreadable(f"{type(error).__name__}: {error}")
