"""Refusals: a closed list of reasons why a command is refused, as values. The schema floor puts them into words.

A refusal is a result, not an error: nothing was written, and its sentence says what to do. `reason` selects the
sentence in the text catalogue (fr, en, ar) and `params` fill it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class RefusalCode(StrEnum):
    """The codes of `UserErrorCode`, the public API's closed list."""

    INVALID = "INVALID"
    NOT_FOUND = "NOT_FOUND"
    ALREADY_EXISTS = "ALREADY_EXISTS"
    KEY_REUSED = "KEY_REUSED"
    INSUFFICIENT_POINTS = "INSUFFICIENT_POINTS"
    NOT_ELIGIBLE = "NOT_ELIGIBLE"
    LIMIT_REACHED = "LIMIT_REACHED"
    OUT_OF_STOCK = "OUT_OF_STOCK"
    EXPIRED = "EXPIRED"
    CONFLICT = "CONFLICT"


@dataclass(frozen=True, slots=True)
class Refusal:
    """One reason why nothing was written.

    `path` locates the fault below the mutation's `input`: `("purchase", "lines", "0", "amount")`.
    """

    code: RefusalCode
    reason: str
    path: tuple[str, ...] = ()
    params: Mapping[str, str | int] = field(default_factory=dict)
