"""What many members share: stock, uses and budgets of offers, appointments, pools of codes.

Each is a counter of what was taken so far, net of what came back; how much there is stands in the programme. So a
changed figure in the programme needs no migration, and the audit can prove each counter from orders, holds and offers.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple


class Supply(StrEnum):
    """The kinds of counters."""

    STOCK = "stock"
    SLOT = "slot"
    USES = "uses"
    BUDGET = "budget"


class CounterKey(NamedTuple):
    """Which counter: pieces of a reward, places at one appointment, uses of an offer, or what it has cost.

    `key` is the reward's or the offer's; `at` is the moment of an appointment. A budget counts points, or hundredths
    of the currency's unit. A tuple, for it is looked up dozens of times for a page, and a dataclass hashes in Python.
    """

    kind: Supply
    key: str
    at: datetime | None = None


class CodeState(StrEnum):
    """Where a code of a pool stands. A code that somebody has seen is never free again."""

    FREE = "free"
    HELD = "held"
    GIVEN = "given"
    VOID = "void"


@dataclass(frozen=True, slots=True)
class CodeMove:
    """A code of a pool changes hands: from one state to the next, for a member or for nobody.

    `holder` names what it is for: `order/ID`, `hold/ID` or `offer/KEY`.
    """

    pool: str
    code: str
    before: CodeState
    after: CodeState
    holder: str | None
