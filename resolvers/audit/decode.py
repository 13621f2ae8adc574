"""Turns a document that cannot be decoded into a finding, so that it does not end the audit."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A document that cannot be decoded, and why."""

    reason: str


def decode(convert: Callable[[dict[str, Any]], T], document: dict[str, Any]) -> T | Unreadable:
    """Return `convert(document)`, or Unreadable if it raises."""
    try:
        return convert(document)
    except Exception as error:  # noqa: BLE001 - a damaged document can raise anything
        return Unreadable(f"{type(error).__name__}: {error}")
