"""Why a command is refused: a closed list, carried as values and put into words on the schema floor.

A refusal is an answer, not a fault: nothing was written, and the reader is told what to do. `reason` names the
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

    `path` leads into the caller's input, below `input`: `("purchase", "lines", "0", "amount")`.
    """

    code: RefusalCode
    reason: str
    path: tuple[str, ...] = ()
    params: Mapping[str, str | int] = field(default_factory=dict)
